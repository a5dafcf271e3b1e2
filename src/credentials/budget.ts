import { BridgeError } from '../base/errors.ts';
import type { App, BudgetRule } from '../platforms/platform.ts';
import type { Store } from '../stores/store.ts';
import { budgetSubject } from './keys.ts';

/** The platform's counters turn over at midnight China time, which has no daylight saving. */
const CHINA_OFFSET_MS = 8 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The window a moment falls in: `2026-11-21` or `2026-11`, in China time. */
export function budgetWindow(rule: Pick<BudgetRule, 'window'>, now: number): string {
  const day = new Date(now + CHINA_OFFSET_MS).toISOString().slice(0, 10);
  return rule.window === 'day' ? day : day.slice(0, 7);
}

/** The next midnight China time, in milliseconds since the Unix epoch. */
export function nextChinaMidnight(now: number): number {
  return Math.floor((now + CHINA_OFFSET_MS) / DAY_MS + 1) * DAY_MS - CHINA_OFFSET_MS;
}

/** Who spends: everyone may use `limit - reserve`, an operator all of it. */
export type Spender = 'anyone' | 'operator';

/** How much of a budget is used in the present window. */
export interface BudgetState {
  readonly used: number;
  /** How often it may still be used by whom it was asked for. */
  readonly left: number;
  /** When the next window begins, in milliseconds since the Unix epoch; undefined for a month's. */
  readonly freshAt: number | undefined;
}

/** Counts uses of the platform's limited calls, for all processes together. */
export interface Budgets {
  /** Counts one use; false when the limit or the spacing forbids it. */
  take(app: App, rule: BudgetRule, spender: Spender): Promise<boolean>;
  /** As `take`; throws BridgeError BUDGET_EXHAUSTED that says how much was used and when more may be. */
  require(app: App, rule: BudgetRule, spender: Spender): Promise<void>;
  /** What is left, counting nothing. */
  state(app: App, rule: BudgetRule, spender: Spender): Promise<BudgetState>;
}

/** Budgets counted in the store. */
export function createBudgets(deps: { readonly store: Store; readonly now: () => number }): Budgets {
  const take: Budgets['take'] = (app, rule, spender) =>
    deps.store.budgets.take({
      subject: budgetSubject(app, rule),
      window: budgetWindow(rule, deps.now()),
      limit: spender === 'operator' ? rule.limit : rule.limit - rule.reserve,
      spacingMs: rule.spacingMs ?? 0,
    });
  return {
    take,
    async state(app, rule, spender) {
      const { used } = await deps.store.budgets.usage(
        budgetSubject(app, rule),
        budgetWindow(rule, deps.now()),
      );
      const limit = spender === 'operator' ? rule.limit : rule.limit - rule.reserve;
      return {
        used,
        left: Math.max(0, limit - used),
        freshAt: rule.window === 'day' ? nextChinaMidnight(deps.now()) : undefined,
      };
    },
    async require(app, rule, spender) {
      if (await take(app, rule, spender)) return;
      const { used, lastAt } = await deps.store.budgets.usage(
        budgetSubject(app, rule),
        budgetWindow(rule, deps.now()),
      );
      const spaced = used < rule.limit - (spender === 'operator' ? 0 : rule.reserve);
      throw new BridgeError(
        'BUDGET_EXHAUSTED',
        spaced
          ? `${rule.name} of ${app.appid} was used ${Math.round((deps.now() - lastAt) / 1000)} s ago; uses must be ${(rule.spacingMs ?? 0) / 1000} s apart`
          : `${rule.name} of ${app.appid}: ${used} of ${rule.limit} used this ${rule.window}, ${rule.reserve} are kept for an operator`,
        {
          hint: spaced
            ? 'try again a little later'
            : `the count starts anew with the next ${rule.window}, China time`,
          retryAfterMs: spaced ? Math.max(0, lastAt + (rule.spacingMs ?? 0) - deps.now()) : undefined,
        },
      );
    },
  };
}
