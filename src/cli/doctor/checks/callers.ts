import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isLoopback } from '../../../access/addresses.ts';
import { expiryWarnings } from '../../../access/caller-expiry.ts';
import { parseDocument } from '../../../config/document.ts';
import { pathText } from '../../../config/faults.ts';
import { KEY_MIN_LENGTH } from '../../../config/fields.ts';
import { resolveTree } from '../../../config/resolve.ts';
import type { Settings } from '../../../config/settings.ts';
import { type Check, type Examination, type Finding, ok, warn } from '../check.ts';

/** A random key of the least length has ten different characters or so, even in hexadecimal. */
const FEWEST_CHARACTERS = 6;
const COMMON = /password|passwd|secret|changeme|change-me|example|qwerty|123456|letmein/i;

const NEW_KEY = 'make a random one, such as with: openssl rand -base64 32';

/** Whether whoever can reach the listeners is meant to. */
export const callers: Check = {
  name: 'callers',
  needs: 'settings',
  async run(exam) {
    const { callers: configured, listen, s2s, ipWhiteList } = exam.settings();
    const findings: Finding[] = [...weakKeys(exam), ...weakS2s(exam.settings())].map(path =>
      warn('callers', `the key at ${path} is easy to guess`, NEW_KEY),
    );
    if (!isLoopback(listen.control.host))
      findings.push(
        warn(
          'callers',
          `other machines reach the control API at ${listen.control.host}:${listen.control.port}, over plain HTTP`,
          'listen on 127.0.0.1, or put a proxy with TLS before it: the admin key travels in every request',
        ),
      );
    for (const found of expiryWarnings(configured, exam.world.clock.now()))
      findings.push(warn('callers', found, 'set its "expires" to a later time, or remove the caller'));
    if (findings.length > 0) return findings;
    const who = configured.map(({ name }) => name).join(', ');
    const known =
      configured.length === 0
        ? 'none: every program of this machine may call, and no other'
        : `known by key or address: ${who}`;
    const ways = [
      ...(s2s === undefined ? [] : [`uni-cloud-s2s (${s2s.type})`]),
      ...(ipWhiteList.length === 0 ? [] : [`the addresses in ipWhiteList (${ipWhiteList.join(', ')})`]),
    ];
    if (ways.length === 0) return [ok('callers', known)];
    return [ok('callers', `${known}. The uni-open-bridge functions are open to ${ways.join(' and ')}`)];
  },
};

/** Paths of keys that are no random strings. Settings hold hashes only, so the file is read again. */
function weakKeys({ options, world }: Examination): readonly string[] {
  const file = resolve(options.config);
  const { root } = parseDocument(readFileSync(file, 'utf8'));
  if (root === undefined) return [];
  const readFile = (path: string): string => readFileSync(path, 'utf8');
  const { value } = resolveTree(root, { env: world.env, folder: dirname(file), readFile });
  const { callers: entries = [], admin } = value as {
    readonly callers?: readonly { readonly key?: string; readonly keys?: readonly string[] }[];
    readonly admin?: { readonly keys?: readonly string[] };
  };
  const keys: (readonly [string, readonly (string | number)[]])[] = [
    ...entries.flatMap(({ key }, index) =>
      key === undefined ? [] : [[key, ['callers', index, 'key']] as const],
    ),
    ...entries.flatMap(({ keys: several = [] }, index) =>
      several.map((key, position) => [key, ['callers', index, 'keys', position]] as const),
    ),
    ...(admin?.keys ?? []).map((key, position) => [key, ['admin', 'keys', position]] as const),
  ];
  return keys.filter(([key]) => isWeak(key)).map(([, path]) => pathText(path));
}

/** What is too short is told of with the configuration. */
function weakS2s({ s2s }: Settings): readonly string[] {
  if (s2s === undefined) return [];
  const [secret, path] =
    s2s.type === 'sign' ? [s2s.signKey, 's2s.signKey'] : [s2s.connectCode, 's2s.connectCode'];
  const clear = secret.reveal();
  return clear.length >= KEY_MIN_LENGTH && isWeak(clear) ? [path] : [];
}

function isWeak(key: string): boolean {
  return new Set(key).size < FEWEST_CHARACTERS || COMMON.test(key);
}
