import type { Account } from '../accounts.ts';
import { type Answer, controlJson } from '../answers.ts';
import type { Platform } from '../platform.ts';
import { changeUser, issueCode, latestUserKey, makeOpenData } from './user-side.ts';
import { viewOfUser } from './view.ts';

/** How many users one answer lists. */
const LISTED_USERS = 1000;

/** Answers a control path about the users of the account that the body names. May throw OptionError. */
export type UserRoute = (account: Account, body: unknown, platform: Platform) => Answer;

/** Control paths that take POST and an appid in the body. */
export const userRoutes: Readonly<Record<string, UserRoute>> = {
  '/codes': (account, body, { clock }) => controlJson(issueCode(account, body, clock.now()), 201),
  '/open-data': (account, body, { clock, derived }) =>
    controlJson(makeOpenData(account, body, clock.now(), derived)),
  '/latest-user-key': (account, body, { clock }) => controlJson(latestUserKey(account, body, clock.now())),
  '/users': (account, body, { clock }) => {
    const now = clock.now();
    return controlJson(viewOfUser(account.users, changeUser(account, body, now), now));
  },
};

/** GET /__simulator/users?appid=: the users of an account, or the one with `&openid=`. */
export function listUsers({ users }: Account, openid: string | null, now: number): Answer {
  const all = openid === null ? users.list() : [users.find(openid)].filter(user => user !== undefined);
  return controlJson({
    count: all.length,
    users: all.slice(0, LISTED_USERS).map(user => viewOfUser(users, user, now)),
  });
}
