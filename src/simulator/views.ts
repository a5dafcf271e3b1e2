import type { AccountType } from './account-types.ts';
import type { Account } from './accounts.ts';
import { type AccountCounters, addCounters, createCounters, type SimulatorCounters } from './counters.ts';
import type { ActiveFault } from './faults.ts';
import type { Platform } from './platform.ts';
import type { Quotas } from './quotas.ts';
import { fingerprintOf } from './random.ts';
import { type IssuedToken, type SlotKind, validTokens } from './token-slots.ts';
import type { UserRules } from './users/rules.ts';

/** A token as it may be shown: its fingerprint is the first 16 hex digits of its SHA-256. */
export interface TokenView {
  slot: SlotKind;
  serial: number;
  fingerprint: string;
  issuedAt: number;
  expiresAt: number;
  /** When it is retired before its end; null while it is current. */
  retiredAt: number | null;
}

/** An account as it may be shown: no secret, no token. */
export interface AccountView {
  appid: string;
  name: string;
  type: AccountType;
  ipWhitelist: string[] | null;
  unlistedIp: number;
  frozenSecret: boolean;
  banned: boolean | 50004 | 50007;
  tokenLifeSeconds: number;
  overlapSeconds: number;
  forceSpacingSeconds: number;
  quotas: Quotas;
  users: UserRules;
  /** How many users are known; GET /__simulator/users shows them. */
  knownUsers: number;
  /** Tokens that work now, newest first. */
  tokens: { classic: TokenView[]; stable: TokenView[] };
}

/** The whole simulator as GET /__simulator/state shows it. */
export interface SimulatorView {
  now: number;
  accounts: AccountView[];
  faults: ActiveFault[];
  counters: SimulatorCounters;
}

export function viewOfToken(token: IssuedToken): TokenView {
  const { slot, serial, value, issuedAt, expiresAt, retiredAt } = token;
  return {
    slot,
    serial,
    fingerprint: fingerprintOf(value),
    issuedAt,
    expiresAt,
    retiredAt: Number.isFinite(retiredAt) ? retiredAt : null,
  };
}

export function viewOfAccount({ settings, slots, users }: Account, now: number): AccountView {
  const { secret: _secret, ipWhitelist, ...shown } = settings;
  return {
    ...shown,
    ipWhitelist: ipWhitelist ?? null,
    knownUsers: users.size,
    tokens: {
      classic: validTokens(slots.classic, now).map(viewOfToken),
      stable: validTokens(slots.stable, now).map(viewOfToken),
    },
  };
}

export function viewOfCounters({ accounts, anonymous }: Platform): SimulatorCounters {
  const total = createCounters();
  const byAppid: Record<string, AccountCounters> = {};
  for (const { appid, counters } of accounts.list()) {
    addCounters(total, counters);
    byAppid[appid] = structuredClone(counters);
  }
  addCounters(total, anonymous);
  return { total, accounts: byAppid, anonymous: structuredClone(anonymous) };
}

export function viewOfPlatform(platform: Platform): SimulatorView {
  const now = platform.clock.now();
  return {
    now,
    accounts: platform.accounts.list().map(account => viewOfAccount(account, now)),
    faults: platform.faults.list(),
    counters: viewOfCounters(platform),
  };
}
