import type { Account } from '../accounts.ts';
import { plain } from '../answers.ts';
import type { Call, OpenApi } from '../call.ts';
import { ApiError } from '../errors.ts';
import { minuteOf, spendOne } from '../quotas.ts';
import type { Code, CodeRefusal, CodeUse } from '../users/codes.ts';
import { accountOfSecret, requireListed, requireThawed } from './token.ts';

/** The errcode of each reason why a code cannot be used. */
export type RefusalCodes = Readonly<Record<CodeRefusal, number>>;

/** Codes are 5 minutes good, or 10; an expired one of a mini program is as unknown as any other text. */
const LOGIN_REFUSALS: RefusalCodes = { unknown: 40029, used: 40163, expired: 40029, blocked: 40226 };

/** QQ publishes one errcode for codes. */
const QQ_LOGIN_REFUSALS: RefusalCodes = { unknown: 40029, used: 40029, expired: 40029, blocked: 40029 };

/** The code with this text, not yet spent. Throws the errcode of the refusal. */
export function lookUpCode(
  account: Account,
  use: CodeUse,
  text: string,
  now: number,
  refusals: RefusalCodes,
): Code {
  const takesAny = account.settings.users.codes === 'any';
  const found = account.users.codes.look(use, text, now, takesAny);
  if (typeof found === 'string') throw new ApiError(refusals[found]);
  return found;
}

function logIn(call: Call, account: Account, jsCode: string, refusals: RefusalCodes) {
  const { now } = call;
  const code = lookUpCode(account, 'login', jsCode, now, refusals);
  const { user } = code;
  if (!spendOne(user.logins, minuteOf(now), account.settings.quotas.loginPerUserMinute))
    throw new ApiError(45011);
  account.users.codes.spend(code);
  const unionid = account.users.unionidOf(user);
  return {
    session_key: account.users.logIn(user, now).value,
    openid: user.openid,
    ...(unionid === undefined ? {} : { unionid }),
  };
}

/** GET /sns/jscode2session, page code2Session: no errcode on success. */
const code2Session: OpenApi = call => {
  const { query, entry } = call;
  const account = accountOfSecret(call, { appid: query.get('appid'), secret: query.get('secret') });
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(48001);
  requireThawed(account);
  requireListed(account, call);
  if (query.get('grant_type') !== 'authorization_code') throw new ApiError(40002);
  const jsCode = query.get('js_code');
  if (!jsCode) throw new ApiError(41008);
  return plain(logIn(call, account, jsCode, LOGIN_REFUSALS));
};

/** GET /sns/jscode2session of QQ, page code2Session: errcode 0 on success. */
const qqCode2Session: OpenApi = call => {
  const { query, entry, platform } = call;
  const account = platform.accounts.at(entry.site, query.get('appid') ?? '');
  if (account === undefined || query.get('secret') !== account.settings.secret)
    throw new ApiError(-101222100);
  requireThawed(account);
  requireListed(account, call);
  if (query.get('grant_type') !== 'authorization_code') throw new ApiError(40002);
  const session = logIn(call, account, query.get('js_code') ?? '', QQ_LOGIN_REFUSALS);
  return plain({ errcode: 0, errmsg: '', ...session });
};

export const loginApis: Record<string, OpenApi> = { '/sns/jscode2session': code2Session };
export const qqLoginApis: Record<string, OpenApi> = { '/sns/jscode2session': qqCode2Session };
