import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { type AccountData, createAccountData } from './apis/data.ts';
import { OptionError } from './checks.ts';
import { type AccountCounters, createCounters } from './counters.ts';
import type { AccountSettings, MintedKind, OnMint } from './options.ts';
import { createQuotaBook, type QuotaBook } from './quotas.ts';
import type { Derived } from './random.ts';
import { type Site, siteOfType } from './sites.ts';
import { createTickets, type Tickets } from './tickets.ts';
import {
  createTokenSlot,
  forceStable,
  type IssuedToken,
  issueClassic,
  issueStable,
  revokeSlot,
  type SlotKind,
  type SlotRules,
  type TokenSlot,
} from './token-slots.ts';
import { createUserTokens, type UserTokens } from './users/user-tokens.ts';
import { type AccountUsers, createAccountUsers } from './users/users.ts';
import { createUserValues } from './users/values.ts';

/** How many issued tokens of a slot are remembered; an older one is then of unknown origin, 40001 too. */
const REMEMBERED_TOKENS = 64;

/** An account at run time. */
export interface Account {
  readonly appid: string;
  settings: AccountSettings;
  readonly slots: Record<SlotKind, TokenSlot>;
  readonly tickets: Tickets;
  readonly quotas: QuotaBook;
  readonly counters: AccountCounters;
  /** What the account has stored through the APIs: menus, tags, short links. Made on first use. */
  readonly data: AccountData;
  /** Those who logged in or were named through control. Made on first use. */
  readonly users: AccountUsers;
  /** Whether an address may ask for tokens. */
  admits(ip: string): boolean;
}

/** All accounts, and the tokens they issued. Look-ups take constant time. */
export interface Accounts {
  get(appid: string): Account | undefined;
  /** The account, if it lives on this site. */
  at(site: Site, appid: string): Account | undefined;
  list(): Account[];
  /** Adds an account, or changes its settings while keeping its tokens and counters. */
  put(settings: AccountSettings): Account;
  /** The token with this text, if the simulator issued it and still remembers. */
  tokenOf(value: string): IssuedToken | undefined;
  /** Tokens of users, of all accounts. */
  readonly userTokens: UserTokens;
  issueClassic(account: Account, now: number): IssuedToken;
  /** A stable call; counts what was minted. `force` really refreshes. */
  issueStable(account: Account, now: number, force: boolean): IssuedToken;
  /** Revokes what works in a slot or both; answers how many tokens died. */
  revoke(account: Account, slot: SlotKind | 'all', now: number): number;
}

function admission(list: string[] | undefined, name: string): (ip: string) => boolean {
  if (list === undefined) return () => true;
  const listed = new BlockList();
  for (const entry of list) {
    const [address = '', prefix] = entry.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    try {
      if (prefix === undefined) listed.addAddress(address, family);
      else if (!/^\d+$/.test(prefix)) throw new TypeError('no prefix length');
      else listed.addSubnet(address, Number(prefix), family);
    } catch {
      throw new OptionError(
        `${name}.ipWhitelist has "${entry}", which is neither an address nor a CIDR range`,
      );
    }
  }
  return ip => (isIPv4(ip) || isIPv6(ip)) && listed.check(ip, isIPv4(ip) ? 'ipv4' : 'ipv6');
}

export function rulesOf({ settings }: Account): SlotRules {
  return {
    lifeMs: settings.tokenLifeSeconds * 1000,
    overlapMs: settings.overlapSeconds * 1000,
    forceSpacingMs: settings.forceSpacingSeconds * 1000,
  };
}

/** Makes an empty set of accounts whose token texts come from `derived`; `onMint` is told of them. */
export function createAccounts(derived: Derived, onMint: OnMint): Accounts {
  const byAppid = new Map<string, Account>();
  const byToken = new Map<string, IssuedToken>();
  const userTokens = createUserTokens();
  // A ring per slot, made on first use, forgets old tokens so that memory stays bounded under load.
  const remembered = new Map<string, (string | undefined)[]>();

  function minted(kind: MintedKind, value: string): string {
    onMint(kind, value);
    return value;
  }

  function remember(token: IssuedToken): void {
    const slot = `${token.slot} ${token.appid}`;
    let ring = remembered.get(slot);
    if (ring === undefined) {
      ring = [];
      remembered.set(slot, ring);
    }
    const place = token.serial % REMEMBERED_TOKENS;
    const oldest = ring[place];
    if (oldest !== undefined) byToken.delete(oldest);
    ring[place] = token.value;
    byToken.set(token.value, token);
  }

  function create(settings: AccountSettings): Account {
    const { appid } = settings;
    let admits = admission(settings.ipWhitelist, appid);
    let current = settings;
    let data: AccountData | undefined;
    let users: AccountUsers | undefined;
    return {
      appid,
      get settings() {
        return current;
      },
      set settings(next) {
        admits = admission(next.ipWhitelist, appid);
        current = next;
      },
      slots: { classic: createTokenSlot(appid, 'classic'), stable: createTokenSlot(appid, 'stable') },
      tickets: createTickets((type, serial) =>
        minted('ticket', derived.text(86, 'ticket', appid, type, serial)),
      ),
      quotas: createQuotaBook(() => current.quotas),
      counters: createCounters(),
      get data() {
        data ??= createAccountData();
        return data;
      },
      get users() {
        users ??= createAccountUsers(
          appid,
          () => current,
          createUserValues(appid, () => current.type, derived, onMint),
          userTokens,
        );
        return users;
      },
      admits: ip => admits(ip),
    };
  }

  const valueFor = (account: Account, slot: SlotKind) => (serial: number) =>
    minted('access-token', derived.token(account.appid, slot, serial));

  return {
    get: appid => byAppid.get(appid),
    at(site, appid) {
      const account = byAppid.get(appid);
      return account !== undefined && siteOfType(account.settings.type) === site ? account : undefined;
    },
    userTokens,
    list: () => [...byAppid.values()],
    put(settings) {
      let account = byAppid.get(settings.appid);
      if (account === undefined) {
        account = create(settings);
        byAppid.set(settings.appid, account);
      } else {
        account.settings = settings;
      }
      return account;
    },
    tokenOf: value => byToken.get(value),
    issueClassic(account, now) {
      const token = issueClassic(account.slots.classic, now, rulesOf(account), valueFor(account, 'classic'));
      account.counters.classic.issued += 1;
      remember(token);
      return token;
    },
    issueStable(account, now, force) {
      const slot = account.slots.stable;
      const before = slot.serial;
      const issue = force ? forceStable : issueStable;
      const token = issue(slot, now, rulesOf(account), valueFor(account, 'stable'));
      if (slot.serial !== before) {
        account.counters.stable.issued += 1;
        if (force) account.counters.stable.forced += 1;
        remember(token);
      }
      return token;
    },
    revoke(account, slot, now) {
      const kinds: SlotKind[] = slot === 'all' ? ['classic', 'stable'] : [slot];
      return kinds.reduce((revoked, kind) => revoked + revokeSlot(account.slots[kind], now), 0);
    },
  };
}
