import { setImmediate as breath } from 'node:timers/promises';
import { Latencies } from './latencies.ts';

/** Does one operation; rejects when it fails. */
export type Act = () => Promise<void>;

/** What came of doing operations for a while. */
export interface Driven {
  readonly operations: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Figures of one subject at one number of rows. */
export interface Measured {
  /** One operation at a time, in microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Operations a second with all lanes busy. */
  readonly rate: number;
  /** Processor time an operation with all lanes busy, of the process that answers, in microseconds. */
  readonly cpu: number;
  /** The same of the process that asks; null when that is the one that answers. */
  readonly callerCpu: number | null;
  /** Memory of the process that answers before and after, in MiB. */
  readonly rssBefore: number;
  readonly rssAfter: number;
}

/**
 * How many operations follow each other before whatever else the process has to do gets its turn. What is
 * answered from memory never waits for anything, so that timers and writes would never run.
 */
const BREATH_EVERY = 64;

/** Keeps every lane busy with one operation at a time. */
export async function drive(lanes: readonly Act[], seconds: number): Promise<Driven> {
  const latencies = new Latencies();
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  let operations = 0;
  const run = async (act: Act): Promise<void> => {
    for (let before = performance.now(); before < end; ) {
      await act();
      const after = performance.now();
      latencies.add((after - before) * 1000);
      before = after;
      operations += 1;
      if (operations % BREATH_EVERY === 0) {
        await breath();
        before = performance.now();
      }
    }
  };
  await Promise.all(lanes.map(run));
  return {
    operations,
    perSecond: (operations * 1000) / (performance.now() - startedAt),
    p50Us: latencies.percentile(0.5),
    p99Us: latencies.percentile(0.99),
  };
}

/** What `measure` is given. Memory is in MiB, processor time in milliseconds since the process began. */
export interface MeasureOptions {
  /** The first does the operations one at a time. */
  readonly lanes: readonly Act[];
  /** For both ways of doing them together. */
  readonly seconds: number;
  readonly cpuMs: () => number;
  readonly rssMib: () => number;
  /** Whether the process that answers is another than this one. */
  readonly elsewhere: boolean;
}

/** Warms up, then does operations one at a time, then with all lanes busy. */
export async function measure(options: MeasureOptions): Promise<Measured> {
  const { lanes, seconds, cpuMs, rssMib, elsewhere } = options;
  const rssBefore = rssMib();
  await drive(lanes, seconds / 6);
  const single = await drive(lanes.slice(0, 1), seconds / 2);
  const cpuBefore = cpuMs();
  const callerBefore = process.cpuUsage();
  const busy = await drive(lanes, seconds / 2);
  const caller = process.cpuUsage(callerBefore);
  return {
    p50: single.p50Us,
    p99: single.p99Us,
    rate: busy.perSecond,
    cpu: ((cpuMs() - cpuBefore) * 1000) / busy.operations,
    callerCpu: elsewhere ? (caller.user + caller.system) / busy.operations : null,
    rssBefore,
    rssAfter: rssMib(),
  };
}
