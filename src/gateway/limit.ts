import { Readable } from 'node:stream';
import type { App, BudgetRule, Platform } from '../platforms/platform.ts';
import type { Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import type { ReplayStore } from './replay-store.ts';
import { createRequestBody, requestTooLarge } from './request-body.ts';
import type { GatewaySettings } from './settings.ts';

/**
 * Takes one use from a budget, or throws BridgeError BUDGET_EXHAUSTED. An operator may use the part that
 * is reserved.
 */
export type TakeBudget = (app: App, rule: BudgetRule, operator: boolean) => Promise<void>;

/** What the limits go by. */
export interface LimitOptions {
  readonly settings: () => GatewaySettings;
  readonly takeBudget: TakeBudget;
  readonly replays: ReplayStore;
}

/** Keeps requests within their size, and paths within the budgets the platform sets for them. */
export function limit(options: LimitOptions): Stage {
  return next => call => {
    if (call.bodyLength !== 0) limitBody(call, options);
    const rule = call.injects ? (call.platform as Platform).pathBudgets[call.path] : undefined;
    if (rule === undefined) return next(call);
    const operator = call.caller?.scopes.has('operate') === true;
    return untilFault(call, options.takeBudget(call.app as App, rule, operator)).then(() => next(call));
  };
}

function limitBody(call: Call, { settings, replays }: LimitOptions): void {
  const { maxRequestBytes, replayMemoryBytes, replayMemoryTotalBytes } = settings();
  if (call.bodyLength !== undefined && call.bodyLength > maxRequestBytes)
    throw requestTooLarge(maxRequestBytes);
  const source = call.bodyRead === undefined ? call.incoming.body : Readable.from([call.bodyRead]);
  if (source === undefined) throw new TypeError('a call with a body must come with its source');
  call.requestBody = createRequestBody(call, {
    source,
    maxBytes: maxRequestBytes,
    kept:
      call.injects || call.ownToken
        ? replays.keep({ memoryBytes: replayMemoryBytes, memoryTotalBytes: replayMemoryTotalBytes })
        : undefined,
  });
}
