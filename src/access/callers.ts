import { hash } from 'node:crypto';
import { BridgeError } from '../base/errors.ts';
import type { App } from '../platforms/platform.ts';
import type { AddressMatcher } from './addresses.ts';
import { createAddressMatcher, isLoopback } from './addresses.ts';
import type { AllowList } from './allow-list.ts';
import { createAllowList } from './allow-list.ts';
import { CallerExpired, hasExpired } from './caller-expiry.ts';
import type { RateLimit } from './rate-limits.ts';

/**
 * Every right a caller can have. `credential:write` is setting, removing and updating credentials through
 * uni-open-bridge; `session:use` is having users' sessions used (login, check, reset, decrypt, verify,
 * sign) without being shown them; `operate` includes the operator's share of the platform's budgets.
 */
export const CALLER_SCOPES = [
  'call',
  'credential:read',
  'credential:write',
  'credential:report',
  'session:use',
  'calls:read',
  'metrics:read',
  'audit:read',
  'operate',
] as const;

/** One right of a caller. */
export type CallerScope = (typeof CALLER_SCOPES)[number];

/** Whether a caller is handed real credentials or stand-ins that only this program understands. */
export type CallerTokens = 'real' | 'virtual';

/** Who is asking, and what they may do. */
export interface Caller {
  readonly name: string;
  /** Names or appids of the apps it may act as; undefined means all. */
  readonly apps: ReadonlySet<string> | undefined;
  /** Paths it may call, within what the environment allows; undefined means no further narrowing. */
  readonly allow: AllowList | undefined;
  readonly scopes: ReadonlySet<CallerScope>;
  readonly tokens: CallerTokens;
  /** How fast it may call; undefined means as fast as it likes. */
  readonly rateLimit?: RateLimit | undefined;
  /** When it is refused from, in milliseconds since the Unix epoch; undefined means never. */
  readonly expiresAt?: number | undefined;
}

/** A caller as configured. */
export interface CallerConfig {
  readonly name: string;
  /** SHA-256 of each accepted key, in hex; several at once while a key is being changed. */
  readonly keys: readonly string[];
  /** Peers taken for this caller without a key: exact IPv4 or IPv6 addresses, or CIDR ranges. */
  readonly addresses: readonly string[];
  readonly apps?: readonly string[] | undefined;
  readonly allow?: readonly string[] | undefined;
  /** Defaults to `call` and `credential:report`. */
  readonly scopes?: readonly CallerScope[] | undefined;
  readonly tokens: CallerTokens;
  /** Without `burst` it is what one second brings, at least 1. */
  readonly rateLimit?: { readonly perSecond: number; readonly burst?: number | undefined } | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt?: number | undefined;
}

/** What a request says of who sent it. */
export interface CallerProof {
  /** The caller key in clear, when one was sent. */
  readonly key?: string | undefined;
  /** The peer's address as the socket gives it. */
  readonly remoteAddress: string;
  /** A web page in a browser sent it; see `isFromWebPage`. */
  readonly fromWebPage?: boolean | undefined;
}

/** The configured callers. Replaced whole on reload. Whoever's time is over is refused: all throw CallerExpired. */
export interface CallerDirectory {
  /** The caller a request comes from; throws BridgeError CALLER_UNKNOWN otherwise. */
  authenticate(proof: CallerProof): Caller;
  /**
   * The caller whose key this is, as when an SDK sends it in the place of a secret. Throws BridgeError
   * CALLER_UNKNOWN for a key that was revoked.
   */
  byKey(key: string): Caller | undefined;
  /**
   * The caller a virtual token was given to, while what it proved itself by still stands: the key is
   * still one of its keys, or the peer's address still one of its addresses. Without callers, everyone on
   * this machine is the local one.
   */
  entitled(name: string, grounds: string, remoteAddress: string): Caller | undefined;
  all(): readonly Caller[];
  /** Every configured key, those that were revoked too. */
  keys(): readonly CallerKey[];
  /** Takes new callers over the old ones. Throws TypeError, changing nothing, when one is ill-formed. */
  replace(configs: readonly CallerConfig[]): void;
}

/** A configured key, as far as it may be shown. */
export interface CallerKey {
  /** Name of its caller. */
  readonly caller: string;
  /** SHA-256 in lower-case hex. */
  readonly keyHash: string;
  /** First 16 digits of the hash, by which operators name the key. */
  readonly fingerprint: string;
}

/** When a key was revoked, by its hash, in milliseconds since the Unix epoch; undefined while it is good. */
export type KeyRevokedAt = (keyHash: string) => number | undefined;

const DEFAULT_SCOPES: readonly CallerScope[] = ['call', 'credential:report'];

/** Who everyone on the same machine is until callers are configured. */
const LOCAL_CALLER: Caller = {
  name: 'local',
  apps: undefined,
  allow: undefined,
  scopes: new Set(CALLER_SCOPES),
  tokens: 'real',
};

/** Whether this is the stand-in for everyone on the same machine, who may do whatever the program can. */
export function isLocalCaller(caller: Caller): boolean {
  return caller === LOCAL_CALLER;
}

/** Addresses remembered with what became of them; a bound on memory, not a promise. */
const REMEMBERED_ADDRESSES = 4096;

/** Of a key's hash, so many digits name it. */
const FINGERPRINT_DIGITS = 16;

/** The form in which a caller key is configured and looked up: its SHA-256 in lower-case hex. */
export function hashCallerKey(key: string): string {
  return hash('sha256', key, 'hex');
}

/** Whether a caller may act as an app, whichever of its two names the caller was given. */
export function mayActAs(caller: Caller, app: App): boolean {
  return caller.apps === undefined || caller.apps.has(app.name) || caller.apps.has(app.appid);
}

/**
 * Whether a gateway may listen on this address: a non-loopback one only when callers are configured,
 * so that nobody runs an open relay by accident.
 */
export function mayListenOn(address: string, callers: readonly unknown[]): boolean {
  return isLoopback(address) || callers.length > 0;
}

/**
 * Makes a directory of callers. Keys are looked up by their hash, so the time taken tells nothing of
 * how much of a guess was right. Throws TypeError when a caller is ill-formed.
 */
export function createCallerDirectory(
  configs: readonly CallerConfig[],
  /** Milliseconds since the Unix epoch. */
  now: () => number,
  revokedAt: KeyRevokedAt = () => undefined,
): CallerDirectory {
  let book = compile(configs);
  const inTime = <Found extends Caller | undefined>(caller: Found): Found => {
    if (caller?.expiresAt !== undefined && hasExpired(caller.expiresAt, now()))
      throw new CallerExpired(caller.name, caller.expiresAt);
    return caller;
  };

  function ofKey(key: string): Caller | undefined {
    const keyHash = hashCallerKey(key);
    const owner = book.byKeyHash.get(keyHash);
    const at = owner && revokedAt(keyHash);
    if (at !== undefined) throw keyRevoked(at);
    return owner;
  }

  return {
    authenticate(proof) {
      const caller = find(book, proof, ofKey);
      if (caller === LOCAL_CALLER && proof.fromWebPage) throw webPageRefused();
      if (caller !== undefined) return inTime(caller);
      throw refusal(book, proof);
    },
    byKey: key => inTime(ofKey(key)),
    entitled: (name, grounds, remoteAddress) =>
      inTime(findEntitled(book, name, grounds, remoteAddress, revokedAt)),
    all: () => book.callers,
    keys: () =>
      [...book.byKeyHash].map(([keyHash, { name }]) => ({
        caller: name,
        keyHash,
        fingerprint: keyHash.slice(0, FINGERPRINT_DIGITS),
      })),
    replace(next) {
      book = compile(next);
    },
  };
}

interface Book {
  readonly callers: readonly Caller[];
  readonly byKeyHash: ReadonlyMap<string, Caller>;
  readonly byAddress: readonly (readonly [AddressMatcher, Caller])[];
  /** What earlier look-ups by address found. */
  readonly remembered: Map<string, Caller | undefined>;
}

function compile(configs: readonly CallerConfig[]): Book {
  const byKeyHash = new Map<string, Caller>();
  const byAddress: [AddressMatcher, Caller][] = [];
  const callers = configs.map(config => {
    const caller: Caller = {
      name: config.name,
      apps: config.apps && new Set(config.apps),
      allow: config.allow && createAllowList(config.allow),
      scopes: new Set(config.scopes ?? DEFAULT_SCOPES),
      tokens: config.tokens,
      rateLimit: config.rateLimit && rateLimitOf(config.rateLimit),
      expiresAt: config.expiresAt,
    };
    for (const key of config.keys) {
      const keyHash = key.toLowerCase();
      if (!/^[0-9a-f]{64}$/.test(keyHash)) {
        throw new TypeError(`caller ${config.name}: a key must be given as its SHA-256 in 64 hex digits`);
      }
      const owner = byKeyHash.get(keyHash);
      if (owner !== undefined && owner !== caller) {
        throw new TypeError(`callers ${owner.name} and ${config.name} have the same key`);
      }
      byKeyHash.set(keyHash, caller);
    }
    if (config.addresses.length > 0) byAddress.push([createAddressMatcher(config.addresses), caller]);
    return caller;
  });
  return { callers, byKeyHash, byAddress, remembered: new Map() };
}

function rateLimitOf({ perSecond, burst }: NonNullable<CallerConfig['rateLimit']>): RateLimit {
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) };
}

function find(
  book: Book,
  { key, remoteAddress }: CallerProof,
  ofKey: (key: string) => Caller | undefined,
): Caller | undefined {
  // A key that is sent must be right: falling back to the address would hide a rotated or mistyped key.
  if (key !== undefined && book.callers.length > 0) return ofKey(key);
  const known = book.remembered.get(remoteAddress);
  if (known !== undefined || book.remembered.has(remoteAddress)) return known;
  const found = findByAddress(book, remoteAddress);
  if (book.remembered.size >= REMEMBERED_ADDRESSES) book.remembered.clear();
  book.remembered.set(remoteAddress, found);
  return found;
}

function findEntitled(
  book: Book,
  name: string,
  grounds: string,
  remoteAddress: string,
  revokedAt: KeyRevokedAt,
): Caller | undefined {
  if (grounds === groundsOf(undefined)) {
    const caller = findByAddress(book, remoteAddress);
    return caller?.name === name ? caller : undefined;
  }
  for (const [keyHash, caller] of book.byKeyHash) {
    if (caller.name === name && grounds === groundsOfHash(keyHash) && revokedAt(keyHash) === undefined)
      return caller;
  }
  return undefined;
}

/** What a caller proved itself by, as a virtual token remembers it: a key, by a part of its hash, or an address. */
export function groundsOf(key: string | undefined): string {
  return key === undefined ? 'address' : groundsOfHash(hashCallerKey(key));
}

function groundsOfHash(keyHash: string): string {
  return `key:${keyHash.slice(0, FINGERPRINT_DIGITS)}`;
}

function findByAddress(book: Book, remoteAddress: string): Caller | undefined {
  if (book.callers.length === 0) return isLoopback(remoteAddress) ? LOCAL_CALLER : undefined;
  return book.byAddress.find(([addresses]) => addresses.matches(remoteAddress))?.[1];
}

function keyRevoked(at: number): BridgeError {
  return new BridgeError('CALLER_UNKNOWN', `this key was revoked on ${new Date(at).toISOString()}`, {
    hint: 'use another of the caller\'s keys, or add a new one under "callers" in the configuration',
  });
}

function webPageRefused(): BridgeError {
  return new BridgeError(
    'CALLER_UNKNOWN',
    'requests of web pages are refused while no callers are configured',
    {
      hint: 'call from a program instead of a browser, or configure a caller and send its key as the x-bridge-key header',
    },
  );
}

function refusal(book: Book, { key, remoteAddress }: CallerProof): BridgeError {
  if (book.callers.length === 0) {
    return new BridgeError(
      'CALLER_UNKNOWN',
      `no callers are configured and ${remoteAddress} is not this machine`,
      {
        hint: 'add this caller under "callers" in the configuration, then send its key as the x-bridge-key header',
      },
    );
  }
  if (key !== undefined) {
    return new BridgeError('CALLER_UNKNOWN', 'the x-bridge-key that was sent belongs to no caller', {
      hint: 'send a key listed under "callers" in the configuration; a key that was rotated out is no longer accepted',
    });
  }
  return new BridgeError(
    'CALLER_UNKNOWN',
    `no caller key was sent and ${remoteAddress} is no caller's address`,
    {
      hint: 'send the caller key as the x-bridge-key header, or add the address under "callers" in the configuration',
    },
  );
}
