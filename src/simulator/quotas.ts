import { QQ_TOKEN_PATH } from './qq-catalog.ts';

const CHINA_OFFSET_MS = 8 * 3_600_000;
const DAY_MS = 86_400_000;

/** Limits of one account. All can be changed; the defaults are the platform's, where it publishes them. */
export interface QuotaOptions {
  /** GET /cgi-bin/token, or /api/getToken of QQ, calls a day. Default 2000. */
  classicPerDay?: number;
  /** POST /cgi-bin/stable_token, calls a minute. Default 10 000. */
  stablePerMinute?: number;
  /** POST /cgi-bin/stable_token, calls a day. Default 500 000. */
  stablePerDay?: number;
  /** Refreshes by force_refresh that really refresh, a day. Default 20. */
  stableForcePerDay?: number;
  /** GET /cgi-bin/ticket/getticket, calls a day. Not published; default 2000. */
  ticketPerDay?: number;
  /** clear_quota and clear_quota/v2 together, a calendar month. Default 10. */
  clearPerMonth?: number;
  /** jscode2session, exchanges a minute for each user. Default 100. */
  loginPerUserMinute?: number;
  /** resetusersessionkey, calls a minute. Default 60 000. */
  resetPerMinute?: number;
  /** sns/oauth2/access_token and refresh_token, calls a minute for each path. Default 50 000. */
  oauthPerMinute?: number;
  /** Every other API, calls a day for each path. Default 100 000 000. */
  apiPerDay?: number;
  /** Calls a day of single paths, before all the above. */
  paths?: Record<string, number>;
}

export type Quotas = Required<QuotaOptions>;

export const DEFAULT_QUOTAS: Readonly<Quotas> = {
  classicPerDay: 2000,
  stablePerMinute: 10_000,
  stablePerDay: 500_000,
  stableForcePerDay: 20,
  ticketPerDay: 2000,
  clearPerMonth: 10,
  loginPerUserMinute: 100,
  resetPerMinute: 60_000,
  oauthPerMinute: 50_000,
  apiPerDay: 100_000_000,
  paths: {},
};

export const CLASSIC_PATH = '/cgi-bin/token';
export const STABLE_PATH = '/cgi-bin/stable_token';
export const TICKET_PATH = '/cgi-bin/ticket/getticket';

/** The day of a time (ms), as a number that grows by one at midnight in China (UTC+8). */
export function chinaDayOf(now: number): number {
  return Math.floor((now + CHINA_OFFSET_MS) / DAY_MS);
}

/** The calendar month of a time (ms) in China (UTC+8), as a number that grows by one each month. */
export function chinaMonthOf(now: number): number {
  const date = new Date(now + CHINA_OFFSET_MS);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** The minute of a time (ms), as a number that grows by one. */
export function minuteOf(now: number): number {
  return Math.floor(now / 60_000);
}

/** What is used of something in the period that `period` numbers. */
export interface Usage {
  period: number;
  used: number;
}

function usedIn(usage: Usage, period: number): number {
  return usage.period === period ? usage.used : 0;
}

function add(usage: Usage, period: number): void {
  usage.used = usedIn(usage, period) + 1;
  usage.period = period;
}

/** Nothing used yet. */
export const unused = (): Usage => ({ period: Number.NaN, used: 0 });

/** Counts one more in the period; false, and nothing counted, when the limit is reached. */
export function spendOne(usage: Usage, period: number, limit: number): boolean {
  if (usedIn(usage, period) >= limit) return false;
  add(usage, period);
  return true;
}

function usageOf(usages: Map<string, Usage>, key: string): Usage {
  let usage = usages.get(key);
  if (usage === undefined) {
    usage = unused();
    usages.set(key, usage);
  }
  return usage;
}

/** What one account has used of its quotas. Every operation takes constant time. */
export interface QuotaBook {
  /** The daily limit of a path. */
  limitOf(path: string): number;
  /** Calls of a path counted today. */
  usedOf(path: string, now: number): number;
  /** Counts a call of a path; false, and nothing counted, when today's limit is reached. */
  spend(path: string, now: number): boolean;
  /** Counts a stable_token call of this minute; false when the minute's limit is reached. */
  spendStableMinute(now: number): boolean;
  /** Counts a call of a path in this minute; false when `limit` is reached. */
  spendMinute(path: string, limit: number, now: number): boolean;
  /** Counts a refresh by force; false when today's limit is reached. */
  spendForce(now: number): boolean;
  /** Clears the daily counters of all paths; false when this month's clears are used up. */
  clear(now: number): boolean;
}

/** Makes the book; `quotas` is asked at each use, so that limits can change at any time. */
export function createQuotaBook(quotas: () => Quotas): QuotaBook {
  const daily = new Map<string, Usage>();
  const byMinute = new Map<string, Usage>();
  const forces = unused();
  const clears = unused();

  const limitOf = (path: string): number => {
    const limits = quotas();
    const own = limits.paths[path];
    if (own !== undefined) return own;
    if (path === CLASSIC_PATH || path === QQ_TOKEN_PATH) return limits.classicPerDay;
    if (path === STABLE_PATH) return limits.stablePerDay;
    return path === TICKET_PATH ? limits.ticketPerDay : limits.apiPerDay;
  };
  const usedOf = (path: string, now: number): number => {
    const usage = daily.get(path);
    return usage === undefined ? 0 : usedIn(usage, chinaDayOf(now));
  };
  const spendMinute = (path: string, limit: number, now: number): boolean =>
    spendOne(usageOf(byMinute, path), minuteOf(now), limit);

  return {
    limitOf,
    usedOf,
    spend: (path, now) => spendOne(usageOf(daily, path), chinaDayOf(now), limitOf(path)),
    spendStableMinute: now => spendMinute(STABLE_PATH, quotas().stablePerMinute, now),
    spendMinute,
    spendForce: now => spendOne(forces, chinaDayOf(now), quotas().stableForcePerDay),
    clear(now) {
      if (!spendOne(clears, chinaMonthOf(now), quotas().clearPerMonth)) return false;
      daily.clear();
      return true;
    },
  };
}
