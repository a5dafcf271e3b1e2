import { DRILL_STEPS, type LeakDrillBody, type LeakReportBody } from '../../contract/leak-drill.ts';
import type { BudgetState } from '../../credentials/budget.ts';
import type { App } from '../../platforms/platform.ts';
import type { Drill } from './drill.ts';
import type { DrillPlan } from './plan.ts';

/** A drill as the API shows it. */
export function presentDrill(
  drill: Drill,
  { forced, apartMs, plan }: DrillPlan,
  budget: LeakDrillBody['budget'],
  report: LeakReportBody | undefined,
): LeakDrillBody {
  const { id, state, reason, app, appid, platform, actor, keys, callers, tickets } = drill;
  return {
    ...{ id, state, reason: reason ?? null, app, appid, platform },
    startedAt: moment(drill.startedAt),
    endedAt: momentOf(drill.endedAt),
    startedBy: actor ?? null,
    method: forced ? 'forced' : 'classic',
    apartSeconds: apartMs / 1000,
    steps: DRILL_STEPS.map(name => {
      const step = drill.steps[name];
      return {
        ...{ name, state: stateOf(drill, step), outcome: step?.outcome ?? null },
        startedAt: momentOf(step?.startedAt),
        endedAt: momentOf(step?.endedAt),
      };
    }),
    tokens: drill.tokens.map(({ fingerprint, issuedAt, probe }, place) => ({
      probe: probe ?? null,
      fingerprint,
      issuedAt: moment(issuedAt),
      endsAt: momentOf(endOf(drill, place, forced ? 0 : plan.overlapMs)),
    })),
    ...{ revokedKeys: keys, revokedCallers: callers, tickets, budget, report: report ?? null },
  };
}

/** What a drill of this app would be, when nothing is done. */
export function presentRehearsal(
  app: App,
  { forced, apartMs }: DrillPlan,
  given: Pick<LeakDrillBody, 'startedBy' | 'budget' | 'revokedKeys' | 'revokedCallers'> & {
    readonly now: number;
    readonly report: LeakReportBody;
  },
): LeakDrillBody {
  const { now, ...rest } = given;
  return {
    ...{
      id: null,
      state: 'rehearsed',
      reason: null,
      app: app.name,
      appid: app.appid,
      platform: app.platform,
    },
    ...{ startedAt: moment(now), endedAt: moment(now), method: forced ? 'forced' : 'classic' },
    apartSeconds: apartMs / 1000,
    steps: DRILL_STEPS.map(name => ({
      ...{ name, state: 'pending', startedAt: null, endedAt: null, outcome: null },
      ...(name === 'look' && {
        ...{ state: 'done', startedAt: moment(now), endedAt: moment(now) },
        outcome: 'two refreshes are within budget',
      }),
    })),
    ...{ tokens: [], tickets: [], ...rest },
  };
}

/** A budget as the API shows it; a platform without one counts nothing. */
export function presentBudget({ rule }: DrillPlan, state: BudgetState | undefined): LeakDrillBody['budget'] {
  return { name: rule?.name ?? 'none', used: state?.used ?? 0, left: state?.left ?? 0 };
}

/** When a token ended: with the one after it, or that long later, but not after the second one after it. */
function endOf({ tokens }: Drill, place: number, overlapMs: number): number | undefined {
  const [next, second] = [tokens[place + 1], tokens[place + 2]];
  if (next === undefined) return undefined;
  return Math.min(next.at + overlapMs, second?.at ?? Number.POSITIVE_INFINITY);
}

function stateOf(
  { state }: Drill,
  step: Drill['steps'][keyof Drill['steps']],
): LeakDrillBody['steps'][number]['state'] {
  if (step === undefined) return 'pending';
  if (step.endedAt !== undefined) return 'done';
  return state === 'failed' ? 'failed' : 'running';
}

function momentOf(at: number | undefined): string | null {
  return at === undefined ? null : moment(at);
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
