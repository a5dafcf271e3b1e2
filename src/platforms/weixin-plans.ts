import { secretOf } from './app-secret.ts';
import { classicTokenPlan } from './classic-token.ts';
import { issuedValue } from './issued-value.ts';
import type { BudgetRule, CredentialKind, IssuePlan, TokenMode } from './platform.ts';

const SECOND = 1000;

/** The platform keeps the old token alive this long after a new one, and gives a new stable token only within it. */
const OVERLAP_MS = 300 * SECOND;

const FORCE_BUDGET: BudgetRule = {
  name: 'token-force',
  limit: 20,
  reserve: 10,
  window: 'day',
  spacingMs: 30 * SECOND,
};
/** The platform publishes no figure for tickets ("very limited"); one a minute all day is far above any honest need. */
const TICKET_BUDGET: BudgetRule = { name: 'ticket', limit: 1000, reserve: 50, window: 'day' };

/** POST /cgi-bin/stable_token: the same token until its last 300 s. Isolated from the classic endpoint. */
const stableToken: IssuePlan = {
  request: (app, { force }) => ({
    method: 'POST',
    path: '/cgi-bin/stable_token',
    json: {
      grant_type: 'client_credential',
      appid: app.appid,
      secret: secretOf(app).reveal(),
      force_refresh: force,
    },
  }),
  ...issuedValue('access_token'),
  renewAheadMs: OVERLAP_MS,
  sameUntilRenewal: true,
  overlapMs: OVERLAP_MS,
  forceBudget: FORCE_BUDGET,
};

/** GET /cgi-bin/ticket/getticket: official accounts only; an earlier ticket outlives a new one. */
function ticketPlan(type: 'jsapi' | 'wx_card', budget: BudgetRule): IssuePlan {
  return {
    needs: 'access-token',
    request: (_app, { needed }) => ({
      method: 'GET',
      path: '/cgi-bin/ticket/getticket',
      query: { access_token: needed?.reveal() ?? '', type },
    }),
    ...issuedValue('ticket'),
    renewAheadMs: OVERLAP_MS,
    sameUntilRenewal: false,
    overlapMs: OVERLAP_MS,
    issueBudget: budget,
  };
}

const tokenPlans: Readonly<Record<TokenMode, IssuePlan>> = {
  stable: stableToken,
  classic: classicTokenPlan('/cgi-bin/token'),
};

/** Plans of a mini program: only its token; tickets are for official accounts. */
export function miniProgramPlan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined {
  return kind === 'access-token' ? tokenPlans[mode] : undefined;
}

const ticketPlans: Partial<Record<CredentialKind, IssuePlan>> = {
  ticket: ticketPlan('jsapi', TICKET_BUDGET),
  'card-ticket': ticketPlan('wx_card', { ...TICKET_BUDGET, name: 'card-ticket' }),
};

/** Plans of an official account: its token, the JS-SDK ticket and the card ticket. */
export function officialAccountPlan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined {
  return miniProgramPlan(kind, mode) ?? ticketPlans[kind];
}
