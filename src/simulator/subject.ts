import type { Account } from './accounts.ts';
import { catalogEntryOf, sitesWith } from './catalog.ts';
import { ApiError } from './errors.ts';
import type { Incoming } from './http.ts';
import type { PathEntry } from './path-entry.ts';
import type { Platform } from './platform.ts';
import { type Site, siteOfHost, siteOfType } from './sites.ts';
import { type IssuedToken, verdictOn } from './token-slots.ts';
import type { HeldToken } from './users/user-tokens.ts';

/** What an access_token looks like; anything else is malformed, 40014. */
const WELL_FORMED = /^\d{1,3}_[\w-]{60,509}$/;

/** Where a call goes and whom it speaks for, before anything is judged. */
export interface Subject {
  site: Site;
  /** Undefined when the site has no such path. */
  entry: PathEntry | undefined;
  account: Account | undefined;
  /** The app's access_token as sent; empty when there is none. */
  tokenText: string;
  token: IssuedToken | undefined;
  /** The user's access_token, on paths that take one. */
  userToken: HeldToken | undefined;
}

/** The site by the host that was asked for; any other host serves all, and the path or the app decides. */
function siteOf({ host, path, query }: Incoming, platform: Platform): Site {
  const named = siteOfHost(host);
  if (named !== undefined) return named;
  const [first = 'weixin', ...others] = sitesWith(path);
  if (others.length === 0) return first;
  const account = platform.accounts.get(query.get('appid') ?? '');
  return account === undefined ? first : siteOfType(account.settings.type);
}

function claimedAppid({ query, body, json }: Incoming): string | undefined {
  const named = query.get('appid') ?? query.get('client_id');
  if (named !== null || body.length === 0) return named ?? undefined;
  try {
    const claimed = json()['appid'];
    return typeof claimed === 'string' ? claimed : undefined;
  } catch {
    // A body that is no JSON names nobody; the handler says so in the platform's words.
    return undefined;
  }
}

/** Finds out where a call goes and whom it speaks for. Never throws. */
export function subjectOf(incoming: Incoming, platform: Platform): Subject {
  const { query } = incoming;
  const { accounts } = platform;
  const site = siteOf(incoming, platform);
  const entry = catalogEntryOf(incoming.path, site);
  const subject: Subject = {
    site,
    entry,
    account: undefined,
    tokenText: '',
    token: undefined,
    userToken: undefined,
  };
  if (entry?.auth === 'none' || entry?.auth === 'code') {
    const held = accounts.userTokens.access(query.get('access_token') ?? '');
    const appid = claimedAppid(incoming) ?? held?.grant.user.appid;
    subject.account = appid === undefined ? undefined : accounts.at(site, appid);
    // A token of another site's app is as unknown as one that was never issued.
    subject.userToken = held && accounts.at(site, held.grant.user.appid) && held;
    return subject;
  }
  const own = entry?.auth === 'component' ? query.get('component_access_token') : null;
  subject.tokenText = own || query.get('access_token') || query.get('cloudbase_access_token') || '';
  const token = accounts.tokenOf(subject.tokenText);
  subject.account = token && accounts.at(site, token.appid);
  subject.token = subject.account && token;
  return subject;
}

/** Throws the errcode of a token that is missing, malformed, foreign, retired or expired. */
export function judgeToken({ tokenText, token, account }: Subject, now: number): Account {
  if (tokenText === '') throw new ApiError(41001);
  if (!WELL_FORMED.test(tokenText)) throw new ApiError(40014);
  if (token === undefined || account === undefined) throw new ApiError(40001);
  const verdict = verdictOn(token, now);
  if (verdict !== 0) throw new ApiError(verdict);
  return account;
}

/** Throws 41001 or 40014 for a user's token that is missing or malformed. */
export function requireWellFormed(token: string | null): string {
  if (!token) throw new ApiError(41001);
  if (!WELL_FORMED.test(token)) throw new ApiError(40014);
  return token;
}
