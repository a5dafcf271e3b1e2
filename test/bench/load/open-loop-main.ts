/**
 * Sends requests at a fixed rate, whatever becomes of those before, and prints the latencies. They count
 * from when a request was due, so a stall is felt by all requests it held up (no coordinated omission).
 */
import { Worker } from 'node:worker_threads';
import { percentile } from '../stats.ts';
import type { Connection, Target } from './connection.ts';
import { openConnection, requestBytes } from './connection.ts';
import { type MetronomeSettings, monotonicMs } from './metronome.ts';

/** What the generator is told. */
export interface OpenLoopSettings extends Target {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rate: number;
  readonly seconds: number;
  /** Most requests under way at once; more wait, and their wait counts. */
  readonly connections: number;
}

/** What the generator prints, in milliseconds. */
export interface OpenLoopResult {
  readonly sent: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  /** How late the generator itself was in sending. */
  readonly lateP99: number;
}

/** Requests at the beginning that only warm up. */
const WARM_UP_SHARE = 0.1;

async function main(settings: OpenLoopSettings): Promise<OpenLoopResult> {
  const { rate, seconds } = settings;
  const request = requestBytes('GET', settings.path, settings.headers);
  const free: Connection[] = [];
  for (let i = 0; i < settings.connections; i += 1) free.push(await openConnection(settings));
  const all = [...free];

  const ticks = Math.round(rate * seconds);
  const skipped = Math.round(ticks * WARM_UP_SHARE);
  const schedule: MetronomeSettings = { startAt: monotonicMs() + 100, intervalMs: 1000 / rate, ticks };
  const latencies: number[] = [];
  const lateness: number[] = [];
  const waiting: number[] = [];
  let failed = 0;
  let over = 0;
  const finished = Promise.withResolvers<void>();

  const send = (connection: Connection, tick: number): void => {
    const dueAt = schedule.startAt + tick * schedule.intervalMs;
    if (tick >= skipped) lateness.push(monotonicMs() - dueAt);
    connection.send(request, status => {
      if (tick >= skipped) latencies.push(monotonicMs() - dueAt);
      if (status !== 200) failed += 1;
      over += 1;
      if (over === ticks) finished.resolve();
      const next = waiting.shift();
      if (next === undefined) free.push(connection);
      else send(connection, next);
    });
  };

  const metronome = new Worker(new URL('./metronome.ts', import.meta.url), { workerData: schedule });
  metronome.on('error', finished.reject);
  metronome.on('message', (tick: number) => {
    // The connection used last is taken first, as a caller's pool does.
    const connection = free.pop();
    if (connection === undefined) waiting.push(tick);
    else send(connection, tick);
  });
  await finished.promise;
  for (const connection of all) connection.close();
  return {
    sent: ticks,
    failed,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    lateP99: percentile(lateness, 0.99),
  };
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as OpenLoopSettings)));
