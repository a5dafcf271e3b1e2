import { BridgeError } from '../../base/errors.ts';
import type { Budgets } from '../../credentials/budget.ts';
import { isPushed, planOf } from '../../credentials/plans.ts';
import type { App, BudgetRule, IssuePlan } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';

/** Beyond the platform's spacing, which counts from when a request reaches it and not from when its answer reaches us. */
const MARGIN_MS = 1000;
/** Where the platform sets no spacing: until every node has the new token, so that none meets the end of the one before. */
const SETTLE_MS = 3000;

/** How the tokens of an app are ended. */
export interface DrillPlan {
  readonly plan: IssuePlan;
  /** Whether a refresh ends what came before at once; otherwise the second refresh does. */
  readonly forced: boolean;
  /** What a refresh counts against. */
  readonly rule: BudgetRule | undefined;
  /** Least time from the end of the first refresh to the beginning of the second. */
  readonly apartMs: number;
}

/** How a drill of this app goes. Throws CREDENTIAL_UNSUPPORTED, with advice, where no token can be refreshed from here. */
export function drillPlanOf(app: App): DrillPlan {
  const ref = { app, kind: 'access-token' } as const;
  if (isPushed(ref)) throw notOurs(app);
  const plan = planOf(ref);
  const forced = plan.forceBudget !== undefined;
  const rule = plan.forceBudget ?? plan.issueBudget;
  const spacingMs = rule?.spacingMs ?? 0;
  return { plan, forced, rule, apartMs: Math.max(SETTLE_MS, spacingMs + MARGIN_MS) };
}

/** Throws BUDGET_EXHAUSTED, telling when there will be more, unless an operator may refresh so often. */
export async function requireRefreshes(
  app: App,
  { rule }: DrillPlan,
  times: number,
  budgets: Budgets,
): Promise<void> {
  if (rule === undefined) return;
  const { used, left, freshAt } = await budgets.state(app, rule, 'operator');
  if (left >= times) return;
  const when = freshAt === undefined ? 'with the next month' : `at ${new Date(freshAt).toISOString()}`;
  throw new BridgeError(
    'BUDGET_EXHAUSTED',
    `a leak drill of ${app.name} needs ${times} of ${rule.name}, and ${used} of ${rule.limit} are used: nothing was done`,
    {
      hint: `the count starts anew ${when}; until then take keys back by "callers revoke-key", and if that cannot wait narrow the IP list of the account at ${platformOf(app.platform).consoleUrl}`,
    },
  );
}

function notOurs({ name, appid, platform, managed }: App): BridgeError {
  const { title, consoleUrl } = platformOf(platform);
  return managed
    ? new BridgeError('CREDENTIAL_UNSUPPORTED', `${title} issues no access_token of ${name} (${appid})`, {
        hint: `there is nothing to refresh; if the secret leaked, reset it at ${consoleUrl}`,
      })
    : new BridgeError('CREDENTIAL_UNSUPPORTED', `the tokens of ${name} (${appid}) are not issued here`, {
        hint: 'have your token server fetch two new ones, as far apart as the platform wants, and push the last one in; caller keys are taken back by "callers revoke-key"',
      });
}
