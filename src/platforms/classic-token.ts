import { secretOf } from './app-secret.ts';
import { issuedValue } from './issued-value.ts';
import type { BudgetRule, IssuePlan } from './platform.ts';

/** How long the token before the newest one is good still; WeChat and QQ alike. */
const OVERLAP_MS = 300_000;

const BUDGET: BudgetRule = { name: 'token', limit: 2000, reserve: 100, window: 'day' };

/**
 * A token endpoint of the older kind, as GET /cgi-bin/token and QQ's GET /api/getToken are: every call
 * makes a new token and retires the one before, which lives on for 300 s.
 */
export function classicTokenPlan(path: string): IssuePlan {
  return {
    request: app => ({
      method: 'GET',
      path,
      query: { grant_type: 'client_credential', appid: app.appid, secret: secretOf(app).reveal() },
    }),
    ...issuedValue('access_token'),
    renewAheadMs: OVERLAP_MS,
    sameUntilRenewal: false,
    overlapMs: OVERLAP_MS,
    issueBudget: BUDGET,
  };
}
