import { readdirSync, readFileSync } from 'node:fs';
import {
  constants,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { cpuUsage, memoryUsage, resourceUsage, version } from 'node:process';
import type { Family, Sample } from './family.ts';

/** How often the event loop's delay is sampled, in milliseconds. */
const SAMPLING_MS = 20;
/** Least time between two looks at the delays, so that scrapes at the same time see the same ones. */
const WINDOW_MS = 5000;

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** What is measured of this process, under the names that Prometheus clients share. */
export interface ProcessProbe {
  readonly families: readonly Family[];
  readonly nodeVersion: string;
  close(): void;
}

/**
 * Begins to measure this process. Unlike the registry library's own collectors it can be ended, and its
 * event loop lag is the lag alone, without the sampling interval.
 */
export function createProcessProbe(): ProcessProbe {
  const lag = createLagWindow();
  const gc = createGcCounts();

  const one = (
    type: 'gauge' | 'counter',
    name: string,
    help: string,
    read: () => number | undefined,
  ): Family => ({
    name,
    help,
    type,
    labels: [],
    samples() {
      const value = read();
      return value === undefined ? [] : [{ value }];
    },
  });

  return {
    nodeVersion: version,
    close() {
      lag.close();
      gc.close();
    },
    families: [
      one(
        'counter',
        'process_cpu_user_seconds_total',
        'CPU time spent in user mode.',
        () => cpuUsage().user / 1e6,
      ),
      one(
        'counter',
        'process_cpu_system_seconds_total',
        'CPU time spent in the kernel.',
        () => cpuUsage().system / 1e6,
      ),
      one('counter', 'process_cpu_seconds_total', 'CPU time spent, user mode and kernel.', () => {
        const { user, system } = cpuUsage();
        return (user + system) / 1e6;
      }),
      one(
        'gauge',
        'process_start_time_seconds',
        'When the process began, in seconds since the Unix epoch.',
        () => performance.timeOrigin / 1000,
      ),
      one('gauge', 'process_resident_memory_bytes', 'Memory the process occupies.', () => memoryUsage.rss()),
      one(
        'gauge',
        'process_peak_resident_memory_bytes',
        'Most memory the process ever occupied.',
        () => resourceUsage().maxRSS * 1024,
      ),
      one('gauge', 'process_open_fds', 'Open file descriptors; Linux only.', openFiles),
      one('gauge', 'process_max_fds', 'Most file descriptors it may open; Linux only.', fileLimit()),
      one('gauge', 'nodejs_heap_size_used_bytes', 'JavaScript heap in use.', () => memoryUsage().heapUsed),
      one(
        'gauge',
        'nodejs_heap_size_total_bytes',
        'JavaScript heap reserved.',
        () => memoryUsage().heapTotal,
      ),
      one(
        'gauge',
        'nodejs_external_memory_bytes',
        'Memory outside the heap that it refers to, such as bodies.',
        () => memoryUsage().external,
      ),
      one(
        'counter',
        'nodejs_eventloop_active_seconds_total',
        'Time the event loop was busy; its rate is the share of one core that is the limit.',
        () => performance.eventLoopUtilization().active / 1000,
      ),
      ...lag.families,
      gc.family,
    ],
  };
}

interface Lags {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function createLagWindow(): { readonly families: readonly Family[]; close(): void } {
  const histogram = monitorEventLoopDelay({ resolution: SAMPLING_MS });
  histogram.enable();
  let lags: Lags = { mean: 0, p50: 0, p99: 0, max: 0 };
  let lookedAt = performance.now();

  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - SAMPLING_MS / 1000);
  const look = (): Lags => {
    const now = performance.now();
    if (histogram.count === 0 || (now - lookedAt < WINDOW_MS && lags.max > 0)) return lags;
    lags = {
      mean: seconds(histogram.mean),
      p50: seconds(histogram.percentile(50)),
      p99: seconds(histogram.percentile(99)),
      max: seconds(histogram.max),
    };
    histogram.reset();
    lookedAt = now;
    return lags;
  };
  const family = (statistic: keyof Lags, name: string, help: string): Family => ({
    name,
    help,
    type: 'gauge',
    labels: [],
    samples: () => [{ value: look()[statistic] }],
  });
  return {
    close: () => void histogram.disable(),
    families: [
      family(
        'mean',
        'nodejs_eventloop_lag_mean_seconds',
        'Lag of the event loop since the last scrape: mean.',
      ),
      family(
        'p50',
        'nodejs_eventloop_lag_p50_seconds',
        'Lag of the event loop since the last scrape: median.',
      ),
      family(
        'p99',
        'nodejs_eventloop_lag_p99_seconds',
        'Lag of the event loop since the last scrape: 99th percentile.',
      ),
      family(
        'max',
        'nodejs_eventloop_lag_max_seconds',
        'Lag of the event loop since the last scrape: longest.',
      ),
    ],
  };
}

function createGcCounts(): { readonly family: Family; close(): void } {
  const spent = new Map(Object.values(GC_KINDS).map(kind => [kind, 0]));
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      const { detail, duration } = entry as PerformanceEntry & {
        readonly detail?: { readonly kind?: number };
      };
      const kind = GC_KINDS[detail?.kind ?? -1];
      if (kind !== undefined) spent.set(kind, (spent.get(kind) ?? 0) + duration / 1000);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  const samples = (): Sample[] => [...spent].map(([kind, value]) => ({ labels: { kind }, value }));
  return {
    close: () => observer.disconnect(),
    family: {
      name: 'nodejs_gc_seconds_total',
      help: 'Time spent collecting garbage, by kind.',
      type: 'counter',
      labels: ['kind'],
      samples,
    },
  };
}

function openFiles(): number | undefined {
  try {
    // The folder itself is open while it is read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

/** The limit is fixed for the life of a process, apart from what a debugger may do. */
function fileLimit(): () => number | undefined {
  let limit: number | undefined;
  try {
    const text = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    limit = text === 'unlimited' ? Number.POSITIVE_INFINITY : text === undefined ? undefined : Number(text);
  } catch {
    limit = undefined;
  }
  return () => limit;
}
