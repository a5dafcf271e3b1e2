import type { Account } from '../accounts.ts';
import { rulesOf } from '../accounts.ts';
import { type Answer, ok, plain } from '../answers.ts';
import type { AccountApi, Call, OpenApi } from '../call.ts';
import { ApiError } from '../errors.ts';
import { QQ_TOKEN_PATH } from '../qq-catalog.ts';
import { CLASSIC_PATH, STABLE_PATH, TICKET_PATH } from '../quotas.ts';
import { TICKET_LIFE_MS } from '../tickets.ts';
import { expiresInOf, isForceTooSoon } from '../token-slots.ts';

interface Claim {
  appid: unknown;
  secret: unknown;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** The account that an appid and a secret name. Throws 41002, 41004, 40013 or 40125. */
export function accountOfSecret(call: Call, { appid, secret }: Claim): Account {
  if (!isText(appid)) throw new ApiError(41002);
  if (!isText(secret)) throw new ApiError(41004);
  const account = call.platform.accounts.at(call.entry.site, appid);
  if (account === undefined) throw new ApiError(40013);
  if (account.settings.secret !== secret) throw new ApiError(40125);
  return account;
}

/** Throws 40243 when the AppSecret is frozen: it then opens nothing. */
export function requireThawed({ settings }: Account): void {
  if (settings.frozenSecret) throw new ApiError(40243);
}

/** Throws the account's errcode for addresses that are not on its list. */
export function requireListed(account: Account, call: Call): void {
  if (!account.admits(call.clientIp)) throw new ApiError(account.settings.unlistedIp);
}

function requireMayHaveToken(account: Account, call: Call): void {
  const { banned } = account.settings;
  requireThawed(account);
  if (banned !== false) throw new ApiError(banned === true ? 50007 : banned);
  requireListed(account, call);
}

/** The account that may have a token now; table of errors on pages getAccessToken and getStableAccessToken. */
function accountForToken(call: Call, claim: Claim, grantType: unknown): Account {
  if (!isText(claim.appid)) throw new ApiError(41002);
  if (!isText(claim.secret)) throw new ApiError(41004);
  if (grantType !== 'client_credential') throw new ApiError(40002);
  const account = accountOfSecret(call, claim);
  requireMayHaveToken(account, call);
  return account;
}

/** A new token of the classic slot, counted against the quota of the path. */
function issueClassic(call: Call, account: Account): Answer {
  const { entry, now, platform } = call;
  if (!account.quotas.spend(entry.path, now)) throw new ApiError(45009);
  const token = platform.accounts.issueClassic(account, now);
  return plain({ access_token: token.value, expires_in: expiresInOf(token, now) });
}

/** GET /cgi-bin/token, page getAccessToken. */
const classic: OpenApi = call => {
  const { query } = call;
  const claim = { appid: query.get('appid'), secret: query.get('secret') };
  return issueClassic(call, accountForToken(call, claim, query.get('grant_type')));
};

/** GET /api/getToken of QQ, page getAccessToken: the classic rules with fewer errcodes. */
const qqToken: OpenApi = call => {
  const { query, platform, entry } = call;
  if (query.get('grant_type') !== 'client_credential') throw new ApiError(40002);
  const account = platform.accounts.at(entry.site, query.get('appid') ?? '');
  if (account === undefined) throw new ApiError(40013);
  if (query.get('secret') !== account.settings.secret) throw new ApiError(40001, 'invalid appsecret');
  requireMayHaveToken(account, call);
  return issueClassic(call, account);
};

/** POST /cgi-bin/stable_token, page getStableAccessToken. */
const stable: OpenApi = call => {
  const { now, platform } = call;
  const fields = call.json();
  const account = accountForToken(
    call,
    { appid: fields['appid'], secret: fields['secret'] },
    fields['grant_type'],
  );
  const wantsForce = fields['force_refresh'] ?? false;
  if (typeof wantsForce !== 'boolean') throw new ApiError(47001);
  if (!account.quotas.spendStableMinute(now)) throw new ApiError(45011);
  if (!account.quotas.spend(STABLE_PATH, now)) throw new ApiError(45009);
  const force = wantsForce && !isForceTooSoon(account.slots.stable, now, rulesOf(account));
  // The code of the 21st force is not published; 45009 is the code of every other daily limit.
  if (force && !account.quotas.spendForce(now)) throw new ApiError(45009);
  const token = platform.accounts.issueStable(account, now, force);
  return plain({ access_token: token.value, expires_in: expiresInOf(token, now) });
};

/** GET /cgi-bin/ticket/getticket, page getTicket. */
const ticket: AccountApi = ({ account, query, now }) => {
  const type = query.get('type');
  if (type !== 'jsapi' && type !== 'wx_card') throw new ApiError(40097);
  const value = account.tickets.issue(type, now);
  account.counters.ticket.issued += 1;
  return ok({ ticket: value, expires_in: TICKET_LIFE_MS / 1000 });
};

export const tokenOpenApis: Record<string, OpenApi> = { [CLASSIC_PATH]: classic, [STABLE_PATH]: stable };
export const qqTokenApis: Record<string, OpenApi> = { [QQ_TOKEN_PATH]: qqToken };
export const tokenAccountApis: Record<string, AccountApi> = { [TICKET_PATH]: ticket };
