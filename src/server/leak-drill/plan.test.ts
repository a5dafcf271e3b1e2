import { expect, test } from 'vitest';
import { appOf, MP } from '../../../test/support/world.ts';
import type { Budgets } from '../../credentials/budget.ts';
import { drillPlanOf, requireRefreshes } from './plan.ts';

test.each([
  ['a stable token', appOf(MP), { forced: true, apartMs: 31_000, rule: { name: 'token-force' } }],
  [
    'a classic token',
    appOf(MP, { tokenMode: 'classic' }),
    { forced: false, apartMs: 3000, rule: { name: 'token' } },
  ],
  ['QQ', appOf('1100000001', { platform: 'qq-mp' }), { forced: false, apartMs: 3000 }],
] as const)('%s', (_what, app, plan) => {
  expect(drillPlanOf(app)).toMatchObject(plan);
});

test.each([
  [appOf(MP, { managed: false }), /your token server/],
  [appOf('1100000002', { platform: 'qq-app' }), /connect\.qq\.com/],
  [appOf('wx02', { platform: 'weixin-app' }), /nothing to refresh/],
])('$0.platform has nothing to drill here', (app, hint) => {
  expect(() => drillPlanOf(app)).toThrow(
    expect.objectContaining({ code: 'CREDENTIAL_UNSUPPORTED', hint: expect.stringMatching(hint) }),
  );
});

test('what is left must suffice, and an operator may use the reserve', async () => {
  const app = appOf(MP);
  const asked: string[] = [];
  const budgets = (left: number): Budgets => ({
    take: async () => false,
    require: async () => {},
    async state(_app, rule, spender) {
      asked.push(`${rule.name} ${spender}`);
      return { used: 20 - left, left, freshAt: Date.parse('2026-03-01T16:00:00Z') };
    },
  });
  await requireRefreshes(app, drillPlanOf(app), 2, budgets(2));
  await requireRefreshes(app, drillPlanOf(app), 1, budgets(1));
  await expect(requireRefreshes(app, drillPlanOf(app), 2, budgets(1))).rejects.toMatchObject({
    code: 'BUDGET_EXHAUSTED',
    message: expect.stringContaining('nothing was done'),
    hint: expect.stringContaining('2026-03-01T16:00:00.000Z'),
  });
  expect(new Set(asked)).toEqual(new Set(['token-force operator']));
});
