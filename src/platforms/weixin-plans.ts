import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { BudgetRule, CredentialKind, IssuePlan, TokenMode } from './platform.ts';

const SECOND = 1000;
const DEFAULT_LIFE_SECONDS = 7200;

/** The platform keeps the old token alive this long after a new one, and gives a new stable token only within it. */
const OVERLAP_MS = 300 * SECOND;

const CLASSIC_BUDGET: BudgetRule = { name: 'token', limit: 2000, reserve: 100, window: 'day' };
const FORCE_BUDGET: BudgetRule = {
  name: 'token-force',
  limit: 20,
  reserve: 10,
  window: 'day',
  spacingMs: 30 * SECOND,
};
/** The platform publishes no figure for tickets ("very limited"); one a minute all day is far above any honest need. */
const TICKET_BUDGET: BudgetRule = { name: 'ticket', limit: 1000, reserve: 50, window: 'day' };

/** Reads `{[field]: value, expires_in}`; a missing or senseless `expires_in` means the documented 7200 s. */
function readValue(field: string): IssuePlan['read'] {
  return answer => {
    const value = answer[field];
    if (typeof value !== 'string' || value === '') {
      throw new BridgeError('UPSTREAM_UNREACHABLE', `the platform's answer has no ${field}`, {
        hint: 'check "upstream" in the configuration: something other than the platform may have answered',
      });
    }
    const seconds = Number(answer['expires_in'] ?? DEFAULT_LIFE_SECONDS);
    const life = Number.isFinite(seconds) && seconds > 0 ? seconds : DEFAULT_LIFE_SECONDS;
    return { value: new Secret(value), lifeMs: life * SECOND };
  };
}

/** Stored as uni-open-bridge stores it: `{[field]: value}`. */
function stored(field: string): Pick<IssuePlan, 'toStored' | 'fromStored'> {
  return {
    toStored: value => ({ [field]: value }),
    fromStored: object => {
      const value = object[field];
      return typeof value === 'string' && value !== '' ? value : undefined;
    },
  };
}

/** POST /cgi-bin/stable_token: the same token until its last 300 s. Isolated from the classic endpoint. */
const stableToken: IssuePlan = {
  request: (app, { force }) => ({
    method: 'POST',
    path: '/cgi-bin/stable_token',
    json: {
      grant_type: 'client_credential',
      appid: app.appid,
      secret: app.secret.reveal(),
      force_refresh: force,
    },
  }),
  read: readValue('access_token'),
  ...stored('access_token'),
  renewAheadMs: OVERLAP_MS,
  sameUntilRenewal: true,
  overlapMs: OVERLAP_MS,
  forceBudget: FORCE_BUDGET,
};

/** GET /cgi-bin/token: a new token at every call; the one before lives on for 300 s. */
const classicToken: IssuePlan = {
  request: app => ({
    method: 'GET',
    path: '/cgi-bin/token',
    query: { grant_type: 'client_credential', appid: app.appid, secret: app.secret.reveal() },
  }),
  read: readValue('access_token'),
  ...stored('access_token'),
  renewAheadMs: OVERLAP_MS,
  sameUntilRenewal: false,
  overlapMs: OVERLAP_MS,
  issueBudget: CLASSIC_BUDGET,
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
    read: readValue('ticket'),
    ...stored('ticket'),
    renewAheadMs: OVERLAP_MS,
    sameUntilRenewal: false,
    overlapMs: OVERLAP_MS,
    issueBudget: budget,
  };
}

const tokenPlans: Readonly<Record<TokenMode, IssuePlan>> = { stable: stableToken, classic: classicToken };

/** Plans of a mini program: only its token; tickets are for official accounts. */
export function miniProgramPlan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined {
  return kind === 'access-token' ? tokenPlans[mode] : undefined;
}

const jsapiTicket = ticketPlan('jsapi', TICKET_BUDGET);
const cardTicket = ticketPlan('wx_card', { ...TICKET_BUDGET, name: 'card-ticket' });

/** Plans of an official account: its token, the JS-SDK ticket and the card ticket. */
export function officialAccountPlan(kind: CredentialKind, mode: TokenMode): IssuePlan | undefined {
  if (kind === 'access-token') return tokenPlans[mode];
  return kind === 'ticket' ? jsapiTicket : cardTicket;
}
