import type { Clock } from '../base/clock.ts';
import { deadline } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { App, UpstreamRequest } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { Upstream, UpstreamAnswer } from '../platforms/upstream.ts';

/** Longest wait for one answer to a token call; the platform's own usually take well under a second. */
const ANSWER_TIMEOUT_MS = 8000;
/** Tries while the platform is busy or away, before the failure is told. */
const TRIES = 3;
const FIRST_RETRY_MS = 400;

/** Thrown when the lease was lost before the request went out: nothing was sent, look again. */
export class LeaseLost extends Error {}

/** A request in hand. */
export interface ExchangeRequest {
  readonly app: App;
  readonly request: UpstreamRequest;
  /** Asked before anything is sent; false when the lease was lost meanwhile. */
  readonly mayProceed?: (() => Promise<boolean>) | undefined;
  /** Throws when an answer is not what was asked for; the request is then tried again as if none had come. */
  readonly check?: (body: Readonly<Record<string, unknown>>) => void;
  /** The request must not be repeated once it may have arrived, as with a code that works once. */
  readonly oneShot?: boolean;
}

/** The platform's verdict, with the time before the request was sent, from which lives count. */
export interface Exchanged {
  readonly answer: UpstreamAnswer;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
}

/** Sends one credential request to an app's platform and waits for its verdict. */
export type Exchange = (request: ExchangeRequest) => Promise<Exchanged>;

/**
 * Makes the one function that sends credential requests. It retries what is worth retrying at once (busy,
 * unreachable) with growing, jittered pauses; every other verdict is the caller's to judge.
 */
export function createExchange(deps: {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: () => number;
}): Exchange {
  const { upstream, clock, random } = deps;

  async function attempt({ app, request, mayProceed, check }: ExchangeRequest): Promise<Exchanged> {
    if (mayProceed !== undefined && !(await mayProceed()))
      throw new LeaseLost('lease lost before the request was sent');
    const limit = deadline(
      clock,
      ANSWER_TIMEOUT_MS,
      () =>
        new BridgeError(
          'UPSTREAM_TIMEOUT',
          `the platform did not answer a token call within ${ANSWER_TIMEOUT_MS / 1000} s`,
        ),
    );
    try {
      const startedAt = clock.now();
      const answer = await upstream.send(app, platformOf(app.platform), request, limit.signal);
      if (answer.ok) check?.(answer.body);
      return { answer, startedAt };
    } finally {
      limit.clear();
    }
  }

  return async request => {
    for (let tried = 1; ; tried += 1) {
      try {
        const exchanged = await attempt(request);
        if (tried >= TRIES || !isBusy(exchanged.answer)) return exchanged;
      } catch (error) {
        if (tried >= TRIES || request.oneShot === true || !isPassing(error)) throw error;
      }
      await clock.sleep(FIRST_RETRY_MS * 2 ** (tried - 1) * (0.5 + random()));
    }
  };
}

function isBusy(answer: UpstreamAnswer): boolean {
  return !answer.ok && answer.refusal.rule.class === 'busy';
}

/** Whether the platform did not answer, which passes. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof BridgeError &&
    (error.code === 'UPSTREAM_UNREACHABLE' || error.code === 'UPSTREAM_TIMEOUT')
  );
}
