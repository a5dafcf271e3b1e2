import { type CallerDirectory, type CallerKey, mayActAs } from '../../../access/callers.ts';
import { BridgeError } from '../../../base/errors.ts';
import type { LeakDrillBody } from '../../../contract/leak-drill.ts';
import type { Budgets } from '../../../credentials/budget.ts';
import type { App } from '../../../platforms/platform.ts';
import type { Handler } from '../../control.ts';
import { actorOf, type Identity } from '../../identity.ts';
import type { Drill } from '../../leak-drill/drill.ts';
import type { LeakDrills } from '../../leak-drill/drills.ts';
import { type DrillPlan, drillPlanOf } from '../../leak-drill/plan.ts';
import { presentBudget, presentDrill, presentRehearsal } from '../../leak-drill/present.ts';
import { leakReport, type ReportDeps } from '../../leak-drill/report.ts';
import { keysNamed } from '../callers.ts';
import { appFor, type HandlerDeps } from '../deps.ts';

/** What leak drills on the control API need. */
export interface LeakDrillHandlerDeps extends HandlerDeps, Omit<ReportDeps, 'authority'> {
  readonly drills: LeakDrills;
  readonly callers: CallerDirectory;
  readonly budgets: Budgets;
}

/** POST /v1/apps/:app/leak-drill: begins or joins a drill, or only looks. */
export function startLeakDrill(deps: LeakDrillHandlerDeps): Handler<'startLeakDrill'> {
  return async ({ params, body, identity, remoteAddress }) => {
    const app = appFor(deps, identity, params.app);
    const plan = drillPlanOf(app);
    const keys = keysToRevoke(deps.callers, identity, body.revokeCallerKeys);
    const since = body.since === undefined ? undefined : Date.parse(body.since);
    const actor = actorOf(identity);
    if (!body.rehearsal) {
      const drill = await deps.drills.begin({ app, actor, remoteAddress, keys, since });
      return { status: 202, answer: presentDrill(drill, plan, await budgetOf(deps, app, plan), undefined) };
    }
    await deps.drills.look(app);
    const { issuedAt } = await deps.authority.status({ app, kind: 'access-token' });
    const now = deps.now();
    const report = await leakReport(deps, app, {
      ...{ since: since ?? issuedAt ?? now, drill: undefined, ...rightsOf(identity) },
    });
    const answer = presentRehearsal(app, plan, {
      ...{ now, report, startedBy: actor ?? null, budget: await budgetOf(deps, app, plan) },
      revokedKeys: keys.map(({ caller, fingerprint }) => ({ caller, fingerprint })),
      revokedCallers: deps.callers
        .all()
        .filter(caller => mayActAs(caller, app))
        .map(({ name }) => name),
    });
    return { answer };
  };
}

/** GET /v1/apps/:app/leak-drill: the latest drill, whichever node carries it out. */
export function getLeakDrill(deps: LeakDrillHandlerDeps): Handler<'getLeakDrill'> {
  return async ({ params, query, identity }) => {
    const app = appFor(deps, identity, params.app);
    const plan = drillPlanOf(app);
    const drill = await deps.drills.latest(app);
    if (drill === undefined)
      throw new BridgeError('NOT_FOUND', `there was no leak drill of ${app.name} yet`, {
        hint: `open-bridge keys leak-drill ${app.name} --rehearse looks what one would do`,
      });
    const report = query.report ? await reportOf(deps, app, drill, identity) : undefined;
    return { answer: presentDrill(drill, plan, await budgetOf(deps, app, plan), report) };
  };
}

function reportOf(deps: LeakDrillHandlerDeps, app: App, drill: Drill, identity: Identity | undefined) {
  return leakReport(deps, app, { since: drill.since, drill, ...rightsOf(identity) });
}

async function budgetOf(
  { budgets }: LeakDrillHandlerDeps,
  app: App,
  plan: DrillPlan,
): Promise<LeakDrillBody['budget']> {
  const { rule } = plan;
  return presentBudget(plan, rule && (await budgets.state(app, rule, 'operator')));
}

/** The keys that were named. A caller with `operate` may not shut other callers out. */
function keysToRevoke(
  callers: CallerDirectory,
  identity: Identity | undefined,
  named: readonly string[],
): readonly CallerKey[] {
  if (named.length > 0 && identity?.type !== 'admin')
    throw new BridgeError('CALLER_FORBIDDEN', 'only an administrator takes caller keys back', {
      hint: 'send an admin key as authorization: Bearer, or leave revokeCallerKeys out',
    });
  const found = named.flatMap(name => keysNamed(callers, name));
  return [...new Map(found.map(key => [key.keyHash, key])).values()];
}

/** What of the audit log may be told: entries on no app, as exports are, only to who is confined to none. */
function rightsOf(identity: Identity | undefined): { withReaders: boolean; withBulk: boolean } {
  if (identity?.type === 'admin') return { withReaders: true, withBulk: true };
  return {
    withReaders: identity?.caller.scopes.has('audit:read') === true,
    withBulk: identity?.caller.apps === undefined,
  };
}
