// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { isIP } from 'node:net';
import { addressRuleFault, createAddressMatcher } from '../access/addresses.ts';
import type { ListenAddress } from './settings.ts';

/** Shortest key a caller or an administrator may have: 16 characters of a random key are beyond guessing. */
export const KEY_MIN_LENGTH = 16;

/** Where the listeners are unless the file says otherwise: reachable from this machine alone. */
export const DEFAULT_LISTEN = {
  control: '127.0.0.1:7200',
  gateway: '127.0.0.1:7280',
  gatewayTls: '127.0.0.1:7243',
} as const;

/** A range with both ends of an address family in it is the whole family. */
const EXTREME_ADDRESSES = [
  ['0.0.0.0', '255.255.255.255'],
  ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
] as const;

/** What to do when there is no seal key yet. */
export const SEAL_KEY_ADVICE =
  'run `open-bridge keys new --out ./data/seal.key`, then write "sealKey": "${file:./data/seal.key}"';

/** Why a name of an app or a caller cannot be taken; undefined when it can. */
export function nameFault(name: string): string | undefined {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return undefined;
  return 'must be 1 to 64 letters, digits, "-", "_" or ".", beginning with a letter or digit';
}

/** Why an appid cannot be taken: it becomes part of colon-separated keys. */
export function appidFault(appid: string): string | undefined {
  if (appid === '') return 'is empty';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\s:\u0000-\u001f]/.test(appid) ? 'must not contain white space or ":"' : undefined;
}

/** Why an appsecret cannot be taken. Tells its length at most. */
export function secretFault(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  if (secret.trim() !== secret) {
    return `begins or ends with white space (${secret.length} characters in all)`;
  }
  return undefined;
}

/** Why a key of a caller or an administrator cannot be taken. Tells its length at most. */
export function keyFault(key: string): string | undefined {
  if (key.length < KEY_MIN_LENGTH) {
    return `must have at least ${KEY_MIN_LENGTH} characters; it has ${key.length}`;
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return `must be printable ASCII without spaces, because it travels in a header (${key.length} characters in all)`;
  }
  return undefined;
}

/** Why an address rule of a caller cannot be taken: it is none, or it is everybody. */
export function addressFault(rule: string): string | undefined {
  const fault = addressRuleFault(rule);
  if (fault !== undefined) return fault;
  const { matches } = createAddressMatcher([rule]);
  if (!EXTREME_ADDRESSES.some(([lowest, highest]) => matches(lowest) && matches(highest))) return undefined;
  return 'lets everybody in; name the ranges this caller is in, or give it a key instead';
}

/** Why a path of a file cannot be taken. */
export function filePathFault(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (path.includes('\u0000')) return 'must not contain a NUL character';
  return /[/\\]$/.test(path) ? 'must name a file, not a folder' : undefined;
}

/** Reads `host:port` or `[v6]:port`; a string is the reason why it cannot. */
export function parseListen(text: string): ListenAddress | string {
  const match = /^(?:\[([^\]]*)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (match === null || host === undefined) return 'must be "host:port" or "[IPv6]:port"';
  if (port > 65_535) return 'has a port above 65535';
  if (match[1] !== undefined && isIP(host) !== 6) return 'has no IPv6 address between the brackets';
  // Dotted digits that are no address would be looked up as a name and fail later, less clearly.
  if (/^[\d.]+$/.test(host) && isIP(host) !== 4) return 'has no valid IPv4 address before the port';
  if (match[2] === '*') return 'must name an address; all of them are "0.0.0.0" or "[::]"';
  return { host, port };
}

/** Why a database cannot be taken. The text may hold a password, so it is never shown. */
export function databaseFault(text: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && ['postgres', 'postgresql', 'mysql', 'mariadb'].includes(scheme)) {
    return `${scheme} is not available in this version; use "sqlite:PATH"`;
  }
  if (scheme !== 'sqlite') return 'must be "sqlite:PATH"';
  const path = text.slice('sqlite:'.length);
  if (path === '') return 'has no path after "sqlite:"';
  if (/^\/\/(?!\/)/.test(path)) return 'must have one or three slashes before an absolute path, or none';
  return undefined;
}
