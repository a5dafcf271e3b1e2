import type { Platform } from './platform.ts';
import type { RidRecord } from './rid.ts';
import type { TicketType } from './tickets.ts';
import { type SlotKind, validTokens, verdictOn } from './token-slots.ts';
import { verdictOnUserToken } from './users/grants.ts';
import { liveSession } from './users/session-keys.ts';
import { type UserView, viewOfUser } from './users/view.ts';
import { type AccountView, type SimulatorView, viewOfAccount, viewOfPlatform } from './views.ts';

/** A look inside, for tests. Nothing here changes anything or counts as a call. */
export interface SimulatorState {
  /** The same as GET /__simulator/state. */
  view(): SimulatorView;
  account(appid: string): AccountView | undefined;
  /** The token a slot holds, if it works now. In clear: it is for comparing in tests. */
  token(appid: string, slot: SlotKind): string | undefined;
  /** All tokens of the account that work now, newest first within their slot. */
  tokens(appid: string, slot?: SlotKind): string[];
  /** What a business API would say of the token now: 0, 40001 or 42001. */
  verdict(token: string): 0 | 40001 | 42001;
  isTicketValid(appid: string, type: TicketType, ticket: string): boolean;
  user(appid: string, openid: string): UserView | undefined;
  /** The user's session_key, if it works now. In clear, like tokens. */
  sessionKey(appid: string, openid: string): string | undefined;
  /** What is true of a user's access_token now: 0, 40001, 42001 or 42007, for QQ as well. */
  userVerdict(token: string): 0 | 40001 | 42001 | 42007;
  /** A call from the rid log, whoever made it. */
  rid(rid: string): RidRecord | undefined;
}

/** Makes the look into a platform. */
export function stateOf(platform: Platform): SimulatorState {
  const now = (): number => platform.clock.now();
  const slotsOf = (appid: string) => platform.accounts.get(appid)?.slots;
  return {
    view: () => viewOfPlatform(platform),
    account(appid) {
      const account = platform.accounts.get(appid);
      return account && viewOfAccount(account, now());
    },
    token(appid, slot) {
      const current = slotsOf(appid)?.[slot].current;
      return current !== undefined && verdictOn(current, now()) === 0 ? current.value : undefined;
    },
    tokens(appid, slot) {
      const slots = slotsOf(appid);
      if (slots === undefined) return [];
      const chosen = slot === undefined ? [slots.classic, slots.stable] : [slots[slot]];
      return chosen.flatMap(one => validTokens(one, now())).map(token => token.value);
    },
    verdict(token) {
      const issued = platform.accounts.tokenOf(token);
      return issued === undefined ? 40001 : verdictOn(issued, now());
    },
    isTicketValid: (appid, type, ticket) =>
      platform.accounts.get(appid)?.tickets.isValid(type, ticket, now()) ?? false,
    user(appid, openid) {
      const users = platform.accounts.get(appid)?.users;
      const user = users?.find(openid);
      return users && user && viewOfUser(users, user, now());
    },
    sessionKey(appid, openid) {
      const user = platform.accounts.get(appid)?.users.find(openid);
      return user && liveSession(user, now())?.value;
    },
    userVerdict(token) {
      const held = platform.accounts.userTokens.access(token);
      return held === undefined ? 40001 : verdictOnUserToken(held.grant, held.token, now());
    },
    rid: rid => platform.rids.get(rid),
  };
}
