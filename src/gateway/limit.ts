import type { App, BudgetRule, Platform } from '../platforms/platform.ts';
import type { Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import type { ReplayStore } from './replay-store.ts';
import { createRequestBody, requestTooLarge, wholeRequestBody } from './request-body.ts';
import type { GatewaySettings } from './settings.ts';

/**
 * Takes one use from a budget, or throws BridgeError BUDGET_EXHAUSTED. An operator may use the part that
 * is reserved.
 */
export type TakeBudget = (app: App, rule: BudgetRule, operator: boolean) => Promise<void>;

/** What the limits go by. */
export interface LimitOptions {
  readonly settings: () => GatewaySettings;
  /** Without it budgets are left to the bridge that is followed. */
  readonly takeBudget: TakeBudget | undefined;
  /** Without it no body is kept, as nothing is sent twice. */
  readonly replays: ReplayStore | undefined;
}

/** Keeps requests within their size, and paths within the budgets the platform sets for them. */
export function limit(options: LimitOptions): Stage {
  const { takeBudget } = options;
  return next => call => {
    if (call.bodyLength !== 0) limitBody(call, options);
    const rule = call.injects ? (call.platform as Platform).pathBudgets[call.path] : undefined;
    if (rule === undefined || takeBudget === undefined) return next(call);
    const operator = call.caller?.scopes.has('operate') === true;
    return untilFault(call, takeBudget(call.app as App, rule, operator)).then(() => next(call));
  };
}

function limitBody(call: Call, { settings, replays }: LimitOptions): void {
  const { maxRequestBytes, replayMemoryBytes, replayMemoryTotalBytes } = settings();
  if (call.bodyLength !== undefined && call.bodyLength > maxRequestBytes)
    throw requestTooLarge(maxRequestBytes);
  const source = call.bodyRead ?? call.incoming.body;
  if (source === undefined) throw new TypeError('a call with a body must come with its source');
  if (Buffer.isBuffer(source)) {
    if (source.length > maxRequestBytes) throw requestTooLarge(maxRequestBytes);
    call.requestBody = wholeRequestBody(source);
    return;
  }
  call.requestBody = createRequestBody(call, {
    source,
    maxBytes: maxRequestBytes,
    kept:
      call.injects || call.ownToken
        ? replays?.keep({ memoryBytes: replayMemoryBytes, memoryTotalBytes: replayMemoryTotalBytes })
        : undefined,
  });
}
