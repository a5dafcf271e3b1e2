/**
 * A thread that says when the next request is due. It sleeps on a futex, which wakes far more exactly than
 * the millisecond timers of an event loop do.
 */
import { parentPort, workerData } from 'node:worker_threads';

/** What the thread is told. Times are those of the monotonic clock, in milliseconds. */
export interface MetronomeSettings {
  readonly startAt: number;
  readonly intervalMs: number;
  readonly ticks: number;
}

/** The monotonic clock, which all threads of a process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

if (parentPort !== null) {
  const { startAt, intervalMs, ticks } = workerData as MetronomeSettings;
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let tick = 0; tick < ticks; tick += 1) {
    const wait = startAt + tick * intervalMs - monotonicMs();
    if (wait > 0) Atomics.wait(never, 0, 0, wait);
    parentPort.postMessage(tick);
  }
}
