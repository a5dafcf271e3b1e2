import { Worker } from 'node:worker_threads';
import { percentile } from '../stats.ts';
import type { Connection } from './connection.ts';
import { type MetronomeSettings, monotonicMs } from './metronome.ts';

/** Does one operation; rejects when it fails. */
export type Lane = () => Promise<void>;

/** How often, and for how long. */
export interface Pace {
  /** Operations a second. */
  readonly rate: number;
  readonly seconds: number;
}

/** What came of it, in milliseconds. */
export interface OpenLoopResult {
  readonly sent: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  /** How late the generator itself was in sending. */
  readonly lateP99: number;
}

/** Operations at the beginning that only warm up. */
const WARM_UP_SHARE = 0.1;

/**
 * Begins operations at a fixed rate, whatever becomes of those before. Latencies count from when one was due,
 * so a stall is felt by all that it held up (no coordinated omission). Each lane does one at a time; with all
 * of them busy more wait, and their wait counts.
 */
export async function openLoop(lanes: readonly Lane[], { rate, seconds }: Pace): Promise<OpenLoopResult> {
  const free = [...lanes];
  const ticks = Math.max(1, Math.round(rate * seconds));
  const skipped = Math.round(ticks * WARM_UP_SHARE);
  const schedule: MetronomeSettings = { startAt: monotonicMs() + 100, intervalMs: 1000 / rate, ticks };
  const latencies: number[] = [];
  const lateness: number[] = [];
  const waiting: number[] = [];
  let failed = 0;
  let over = 0;
  const finished = Promise.withResolvers<void>();

  const begin = (lane: Lane, tick: number): void => {
    const dueAt = schedule.startAt + tick * schedule.intervalMs;
    if (tick >= skipped) lateness.push(monotonicMs() - dueAt);
    const end = (): void => {
      if (tick >= skipped) latencies.push(monotonicMs() - dueAt);
      over += 1;
      if (over === ticks) finished.resolve();
      const next = waiting.shift();
      if (next === undefined) free.push(lane);
      else begin(lane, next);
    };
    lane().then(end, () => {
      failed += 1;
      end();
    });
  };

  const metronome = new Worker(new URL('./metronome.ts', import.meta.url), { workerData: schedule });
  metronome.on('error', finished.reject);
  metronome.on('message', (tick: number) => {
    // The lane used last is taken first, as a caller's pool does with connections.
    const lane = free.pop();
    if (lane === undefined) waiting.push(tick);
    else begin(lane, tick);
  });
  await finished.promise;
  return {
    sent: ticks,
    failed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    lateP99: percentile(lateness, 0.99),
  };
}

/** A lane that sends requests over one connection and wants a 200 for each, with the body that is expected. */
export function requestLane(connection: Connection, nextRequest: () => Buffer, begins = ''): Lane {
  return () =>
    new Promise((resolve, reject) => {
      connection.send(nextRequest(), (status, body) => {
        if (status === 200 && body.startsWith(begins)) resolve();
        else reject(new Error(`answered ${status} ${body}`));
      });
    });
}
