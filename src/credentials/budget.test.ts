import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { type ManualClock, manualClock } from '../../test/support/manual-clock.ts';
import { appOf, MP } from '../../test/support/world.ts';
import type { BudgetRule } from '../platforms/platform.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import { type Budgets, budgetWindow, createBudgets, nextChinaMidnight } from './budget.ts';

const at = (text: string): number => Date.parse(text);

test.each([
  ['2026-03-01T15:59:59.999Z', '2026-03-01', '2026-03'],
  ['2026-03-01T16:00:00.000Z', '2026-03-02', '2026-03'],
  ['2026-03-01T00:00:00.000Z', '2026-03-01', '2026-03'],
  ['2026-02-28T15:59:59.999Z', '2026-02-28', '2026-02'],
  ['2026-02-28T16:00:00.000Z', '2026-03-01', '2026-03'],
  ['2028-02-28T16:00:00.000Z', '2028-02-29', '2028-02'],
  ['2026-12-31T15:59:59.999Z', '2026-12-31', '2026-12'],
  ['2026-12-31T16:00:00.000Z', '2027-01-01', '2027-01'],
])('%s is in the windows %s and %s', (time, day, month) => {
  expect(budgetWindow({ window: 'day' }, at(time))).toBe(day);
  expect(budgetWindow({ window: 'month' }, at(time))).toBe(month);
});

test.each([
  ['2026-03-01T15:59:59.999Z', '2026-03-01T16:00:00.000Z'],
  ['2026-03-01T16:00:00.000Z', '2026-03-02T16:00:00.000Z'],
  ['2026-03-01T16:00:00.001Z', '2026-03-02T16:00:00.000Z'],
  ['2026-12-31T23:00:00.000Z', '2027-01-01T16:00:00.000Z'],
])('after %s the next midnight in China is %s', (time, midnight) => {
  expect(new Date(nextChinaMidnight(at(time))).toISOString()).toBe(midnight);
});

test('the window changes at the next midnight and not a millisecond before', () => {
  const times = fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2100-01-01T00:00:00Z') });
  fc.assert(
    fc.property(times, now => {
      const midnight = nextChinaMidnight(now);
      expect(midnight).toBeGreaterThan(now);
      expect(midnight - now).toBeLessThanOrEqual(24 * 3_600_000);
      expect(budgetWindow({ window: 'day' }, midnight - 1)).toBe(budgetWindow({ window: 'day' }, now));
      expect(budgetWindow({ window: 'day' }, midnight)).not.toBe(budgetWindow({ window: 'day' }, now));
      expect(budgetWindow({ window: 'day' }, now) <= budgetWindow({ window: 'day' }, now + 1)).toBe(true);
    }),
  );
});

const rule: BudgetRule = { name: 'token-force', limit: 5, reserve: 2, window: 'day', spacingMs: 30_000 };
const app = appOf(MP);

async function budgetsAt(time: string): Promise<{ budgets: Budgets; clock: ManualClock }> {
  const clock = manualClock(at(time));
  const store = await openSqliteStore({ path: ':memory:', clock, random: () => 0.5 });
  onTestFinished(() => store.close());
  return { budgets: createBudgets({ store, now: clock.now }), clock };
}

test('the last uses are kept for an operator', async () => {
  const { budgets, clock } = await budgetsAt('2026-03-01T04:00:00Z');
  const take = async (spender: 'anyone' | 'operator'): Promise<boolean> => {
    clock.jump(30_000);
    return budgets.take(app, rule, spender);
  };
  expect([await take('anyone'), await take('anyone'), await take('anyone')]).toEqual([true, true, true]);
  expect(await take('anyone')).toBe(false);
  expect([await take('operator'), await take('operator')]).toEqual([true, true]);
  expect(await take('operator')).toBe(false);
  expect(await budgets.take(appOf('wx-other'), rule, 'anyone')).toBe(true);
});

test('a used-up budget says what was used and when it starts anew', async () => {
  const { budgets, clock } = await budgetsAt('2026-03-01T04:00:00Z');
  for (const _ of [1, 2, 3]) {
    await budgets.require(app, rule, 'anyone');
    clock.jump(30_000);
  }
  await expect(budgets.require(app, rule, 'anyone')).rejects.toMatchObject({
    code: 'BUDGET_EXHAUSTED',
    message: `token-force of ${MP}: 3 of 5 used this day, 2 are kept for an operator`,
    hint: 'the count starts anew with the next day, China time',
    retryAfterMs: undefined,
  });
});

test('a use that comes too soon says how long to wait', async () => {
  const { budgets, clock } = await budgetsAt('2026-03-01T04:00:00Z');
  await budgets.require(app, rule, 'operator');
  clock.jump(12_000);
  await expect(budgets.require(app, rule, 'operator')).rejects.toMatchObject({
    code: 'BUDGET_EXHAUSTED',
    message: `token-force of ${MP} was used 12 s ago; uses must be 30 s apart`,
    retryAfterMs: 18_000,
  });
  clock.jump(18_000);
  await budgets.require(app, rule, 'operator');
});

test('midnight in China gives a new budget, midnight elsewhere does not', async () => {
  const { budgets, clock } = await budgetsAt('2026-03-01T15:00:00Z');
  for (const _ of [1, 2, 3]) {
    expect(await budgets.take(app, rule, 'anyone')).toBe(true);
    clock.jump(60_000);
  }
  clock.jump(at('2026-03-01T15:59:59.999Z') - clock.now());
  expect(await budgets.take(app, rule, 'anyone')).toBe(false);
  clock.jump(1);
  for (const _ of [1, 2, 3]) {
    expect(await budgets.take(app, rule, 'anyone')).toBe(true);
    clock.jump(60_000);
  }
  clock.jump(at('2026-03-02T00:00:01Z') - clock.now());
  expect(await budgets.take(app, rule, 'anyone')).toBe(false);
});

test('a month has one budget', async () => {
  const monthly: BudgetRule = { name: 'clear-quota', limit: 2, reserve: 0, window: 'month' };
  const { budgets, clock } = await budgetsAt('2026-03-01T04:00:00Z');
  expect(await budgets.take(app, monthly, 'anyone')).toBe(true);
  clock.jump(20 * 24 * 3_600_000);
  expect(await budgets.take(app, monthly, 'anyone')).toBe(true);
  clock.jump(at('2026-03-31T15:59:59.999Z') - clock.now());
  expect(await budgets.take(app, monthly, 'anyone')).toBe(false);
  clock.jump(1);
  expect(await budgets.take(app, monthly, 'anyone')).toBe(true);
});

test('what is left can be asked without using any of it', async () => {
  const { budgets, clock } = await budgetsAt('2026-03-01T04:00:00Z');
  const reserved: BudgetRule = { name: 'reserved', limit: 3, reserve: 2, window: 'day' };
  const freshAt = at('2026-03-01T16:00:00Z');
  expect(await budgets.state(app, reserved, 'anyone')).toEqual({ used: 0, left: 1, freshAt });
  for (const _ of [1, 2]) await budgets.take(app, reserved, 'operator');
  expect(await budgets.state(app, reserved, 'anyone')).toEqual({ used: 2, left: 0, freshAt });
  expect(await budgets.state(app, reserved, 'operator')).toEqual({ used: 2, left: 1, freshAt });
  clock.jump(freshAt - clock.now());
  expect(await budgets.state(app, reserved, 'operator')).toMatchObject({ used: 0, left: 3 });
  expect(await budgets.state(app, { ...reserved, window: 'month' }, 'operator')).toMatchObject({
    freshAt: undefined,
  });
});
