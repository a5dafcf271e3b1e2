import { isIP } from 'node:net';
import type { Secret } from '../base/secret.ts';

/** The database that a store is opened on. */
export type Database =
  /** `path` is absolute, or `:memory:`. */
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: Secret }
  | { readonly kind: 'mysql'; readonly url: Secret };

/** A database server, as its URL names it. */
export interface DatabaseServer {
  /** `host:port/database`, for messages: it has neither user nor password. */
  readonly name: string;
  /** The URL without the parameters that are ours. */
  readonly url: URL;
  /** Most connections that this process opens to it. */
  readonly connections: number;
}

const KINDS: Readonly<Record<string, 'postgres' | 'mysql'>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mysql',
};

const DEFAULT_PORTS = { postgres: '5432', mysql: '3306' } as const;

/** Parameters of the URL. Others of the drivers change what an answer looks like, which is not theirs to choose. */
const PARAMETERS = {
  postgres: [
    ...['pool', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'ssl', 'sslnegotiation', 'uselibpqcompat'],
    ...['options', 'application_name', 'host', 'statement_timeout'],
  ],
  mysql: ['pool', 'ssl', 'sslrootcert', 'socketPath'],
} as const;

const DEFAULT_CONNECTIONS = 10;
const MOST_CONNECTIONS = 200;

/** Which kind of server a URL is for; undefined when it is for none. */
export function serverKind(text: string): 'postgres' | 'mysql' | undefined {
  const scheme = /^[a-z]+:/i.exec(text)?.[0].toLowerCase();
  return scheme === undefined ? undefined : KINDS[scheme];
}

/** Why the URL of a server cannot be taken. No part of it is quoted, as any may be a password that was not encoded. */
export function serverFault(text: string): string | undefined {
  const kind = serverKind(text);
  if (kind === undefined) return 'must be a URL that begins with postgres:// or mysql://';
  const form = `${kind}://USER:PASSWORD@HOST:PORT/DATABASE`;
  const url = URL.parse(text);
  if (url === null || !text.includes('://'))
    return `must be ${form}, with special characters of user and password percent-encoded`;
  if (!isDecodable(url)) return 'has a percent sign that is no percent-encoding; write a percent sign as %25';
  if (url.hash !== '') return 'must have no "#"; in a password, write it as %23';
  if (url.hostname === '' && !url.searchParams.has('host') && !url.searchParams.has('socketPath'))
    return `has no host: ${form}`;
  if (!/^\/[^/]+$/.test(url.pathname)) return `must name one database after the host: ${form}`;
  const known: readonly string[] = PARAMETERS[kind];
  for (const name of url.searchParams.keys())
    if (!known.includes(name)) return `has a parameter that is none of: ${known.join(', ')}`;
  const pool = url.searchParams.get('pool');
  if (pool !== null && !(/^\d{1,3}$/.test(pool) && Number(pool) >= 1 && Number(pool) <= MOST_CONNECTIONS))
    return `must have a pool of 1 to ${MOST_CONNECTIONS} connections`;
  // mysql2 compares the certificate with "localhost" for every address.
  if (kind === 'mysql' && verifiesName(url) && isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0)
    return 'must have the name of the server and not its address where ssl is to verify it';
  return undefined;
}

/** Reads the URL of a server. A TypeError, which quotes nothing, when `serverFault` finds a fault. */
export function serverOf(kind: 'postgres' | 'mysql', secret: Secret): DatabaseServer {
  const fault =
    serverKind(secret.reveal()) === kind ? serverFault(secret.reveal()) : `is for no ${kind} server`;
  if (fault !== undefined) throw new TypeError(`the URL of the database ${fault}`);
  const url = new URL(secret.reveal());
  const connections = Number(url.searchParams.get('pool') ?? DEFAULT_CONNECTIONS);
  url.searchParams.delete('pool');
  const socket = url.searchParams.get('host') ?? url.searchParams.get('socketPath');
  const host = socket ?? `${url.hostname}:${url.port === '' ? DEFAULT_PORTS[kind] : url.port}`;
  return { name: `${host}/${decodeURIComponent(url.pathname.slice(1))}`, url, connections };
}

/** Whether a MySQL server must prove its name by a certificate. */
export function verifiesName({ searchParams }: URL): boolean {
  const mode = searchParams.get('ssl');
  return mode === null ? searchParams.has('sslrootcert') : mode !== 'false' && mode !== 'no-verify';
}

function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    for (const part of [username, password, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
