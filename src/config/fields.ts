// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as z from 'zod';
import { addressRuleFault, matchesEverybody } from '../access/addresses.ts';
import { originFault } from '../gateway/settings.ts';
import { PLATFORMS } from '../platforms/platforms.ts';
import { serverFault, serverKind } from '../stores/database.ts';
import type { ListenAddress } from './settings.ts';

/** Shortest key a caller or an administrator may have: 16 characters of a random key are beyond guessing. */
export const KEY_MIN_LENGTH = 16;

/** Where the listeners are unless the file says otherwise: reachable from this machine alone. */
export const DEFAULT_LISTEN = {
  control: '127.0.0.1:7200',
  gateway: '127.0.0.1:7280',
  gatewayTls: '127.0.0.1:7243',
} as const;

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

/** Written among an app's DCloud appids: every one that is no other app's on its platform. */
export const ANY_DCLOUD_APPID = '*';

/** The DCloud appids of an app, of which it may have none, one or several. */
export function dcloudAppidsOf(written: string | readonly string[] | undefined): readonly string[] {
  if (written === undefined) return [];
  return typeof written === 'string' ? [written] : written;
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
  return matchesEverybody(rule)
    ? 'lets everybody in; name the ranges this caller is in, or give it a key instead'
    : undefined;
}

/** Why an origin cannot be that of a bridge to follow. It may hold a password, so it is not repeated. */
export function followFault(origin: string): string | undefined {
  const fault = originFault(origin);
  if (fault !== undefined) return fault;
  const { hostname } = new URL(origin);
  return [...PLATFORMS.values()].some(({ hosts }) => hosts.includes(hostname))
    ? 'names the platform itself, which would be sent the key; name the other bridge by its own name or address'
    : undefined;
}

/** Why a text cannot be the certificate of an authority. */
export function certificateFault(text: string): string | undefined {
  try {
    return new X509Certificate(text).ca ? undefined : 'is no certificate of an authority (CA)';
  } catch {
    return 'holds no certificate in PEM; write ${file:PATH} with the gateway-ca.crt of the other bridge';
  }
}

/** Why a moment cannot be taken: it is none of the calendar, or has no zone, so that it depends on who reads it. */
export function instantFault(text: string): string | undefined {
  return z.iso.datetime({ offset: true }).safeParse(text).success
    ? undefined
    : 'must be a moment in ISO 8601 with its zone, such as "2026-12-31T00:00:00Z" or "2026-12-31T08:00:00+08:00"';
}

/** Paths of the control API that the uni-open-bridge functions must not hide. */
const TAKEN_PATHS = ['v1', 'livez', 'readyz', 'metrics'];

/** Why the uni-open-bridge functions cannot be had under a path. */
export function prefixFault(prefix: string): string | undefined {
  if (!prefix.startsWith('/')) return 'must begin with "/"';
  const [, first = '', ...rest] = prefix.split('/');
  if (first === '') return 'must name a path, such as "/uni-open-bridge"';
  for (const segment of [first, ...rest]) {
    if (!/^[A-Za-z0-9._~-]+$/.test(segment) || segment === '.' || segment === '..') {
      return 'must have only letters, digits and ". _ ~ -" between single slashes, and none at its end';
    }
  }
  return TAKEN_PATHS.includes(first)
    ? `/${first} is taken by the control API; choose another path`
    : undefined;
}

/** Why a connect code cannot be taken: it travels in a header and is split off at a space. */
export function connectCodeFault(code: string): string | undefined {
  if (code === '') return 'is empty';
  return /^[\x21-\x7e]+$/.test(code)
    ? undefined
    : `must be printable ASCII without spaces, because it travels in a header (${code.length} characters in all)`;
}

/** Why a path of a folder cannot be taken. */
export function folderPathFault(path: string): string | undefined {
  if (path === '') return 'is empty';
  return path.includes('\u0000') ? 'must not contain a NUL character' : undefined;
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
  if (serverKind(text) !== undefined) return serverFault(text);
  if (!/^sqlite:/i.test(text)) return 'must be "sqlite:PATH", "postgres://…" or "mysql://…"';
  const path = text.slice('sqlite:'.length);
  if (path === '') return 'has no path after "sqlite:"';
  if (/^\/\/(?!\/)/.test(path)) return 'must have one or three slashes before an absolute path, or none';
  return undefined;
}
