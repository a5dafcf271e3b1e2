import { Registry } from 'prom-client';
import type { AuditLog } from '../access/audit-log.ts';
import type { CallerDirectory } from '../access/callers.ts';
import type { Clock } from '../base/clock.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { AuthorityEvent } from '../credentials/authority.ts';
import type { Authority } from '../credentials/credentials.ts';
import type { UserFailure } from '../credentials/user-exchange.ts';
import type { CallRecord } from '../gateway/record.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Store } from '../stores/store.ts';
import type { Handler } from './control.ts';
import { acceleratorFamilies } from './metrics/accelerator.ts';
import { auditFamilies } from './metrics/audit.ts';
import { createCallCounts } from './metrics/calls.ts';
import { createCredentialCounts, credentialFamilies } from './metrics/credentials.ts';
import { type Family, register } from './metrics/family.ts';
import { readNames } from './metrics/names.ts';
import type { ProcessProbe } from './metrics/process.ts';
import { createSnapshots } from './metrics/snapshot.ts';

/** What metrics are made of. */
export interface MetricsDeps {
  readonly apps: AppDirectory;
  readonly callers: CallerDirectory;
  readonly authority: Authority;
  readonly store: Store;
  readonly platforms: ReadonlyMap<unknown, Platform>;
  /** Patterns of the allow-list, which become labels; read at the start and by `reload`. */
  readonly allow: () => readonly string[];
  /** How many apps have labels of their own. */
  readonly maxApps: () => number;
  readonly clock: Clock;
  /** Milliseconds of a clock that only goes forward. */
  readonly stopwatch: () => number;
  readonly process: ProcessProbe;
  readonly audit: Pick<AuditLog, 'counts'>;
  readonly version: string;
}

/** Everything a bridge counts and measures of itself. */
export interface Metrics {
  /** Told that a call begins, and of every call when it is over. */
  readonly onBegin: () => void;
  readonly onCall: (record: CallRecord) => void;
  /** Told of what the authority did. */
  readonly onEvent: (event: AuthorityEvent) => void;
  /** Told of every request for a user's credential that failed because of the app. */
  readonly onUserFailure: (failure: UserFailure) => void;
  /** The same authority, with the reports made to it counted. */
  counting(authority: Authority): Authority;
  /** Takes apps, callers and allow-list anew. */
  reload(): void;
  /** All families, in the order they are shown in. */
  readonly families: readonly Family[];
  /** One scrape, in Prometheus' text format. */
  text(): Promise<string>;
  close(): void;
}

/**
 * Makes the metrics of one bridge, in a registry of their own. Labels come from the configuration alone,
 * so no caller can make series; what comes from the store is read at most every few seconds.
 */
export function createMetrics(deps: MetricsDeps): Metrics {
  const { apps, callers, authority, store, platforms, clock, stopwatch, maxApps } = deps;
  const nameSources = () => ({
    apps,
    callers,
    platforms: platforms.values(),
    allow: deps.allow(),
    maxApps: maxApps(),
  });
  let names = readNames(nameSources());
  const calls = createCallCounts(names);
  const credentials = createCredentialCounts(names);
  const snapshot = createSnapshots({ apps, maxApps, authority, store, clock, stopwatch });
  const now = (): number => clock.now();

  const own: readonly Family[] = [
    {
      name: 'open_bridge_build_info',
      help: 'Always 1; the labels tell the versions of open-bridge and Node.js.',
      type: 'gauge',
      labels: ['version', 'node'],
      samples: () => [{ labels: { version: deps.version, node: deps.process.nodeVersion }, value: 1 }],
    },
    {
      name: 'open_bridge_app_info',
      help: "Always 1; the labels tell an app's platform and appid, for joining.",
      type: 'gauge',
      labels: ['app', 'platform', 'appid'],
      samples: () =>
        apps
          .all()
          .slice(0, maxApps())
          .map(({ name, platform, appid }) => ({ labels: { app: name, platform, appid }, value: 1 })),
    },
    {
      name: 'open_bridge_metrics_apps_omitted',
      help: 'Apps beyond metrics.maxApps: their calls and issues count under "_other", their gauges are left out.',
      type: 'gauge',
      labels: [],
      samples: () => [{ value: names.appsOmitted }],
    },
    {
      name: 'open_bridge_store_up',
      help: 'Whether the store answers (1) or not (0).',
      type: 'gauge',
      labels: [],
      samples: async () => [{ value: (await snapshot()).storeUp ? 1 : 0 }],
    },
    {
      name: 'open_bridge_store_ping_seconds',
      help: 'How long the store took to answer when it last did.',
      type: 'gauge',
      labels: [],
      async samples() {
        const { reading } = await snapshot();
        return reading === undefined ? [] : [{ value: reading.pingMs / 1000 }];
      },
    },
    {
      name: 'open_bridge_store_reading_age_seconds',
      help: 'How old the reading of the store is that the gauges of credentials and budgets go by.',
      type: 'gauge',
      labels: [],
      async samples() {
        const { reading } = await snapshot();
        return reading === undefined ? [] : [{ value: Math.max(0, now() - reading.takenAt) / 1000 }];
      },
    },
  ];

  const families = [
    ...calls.families,
    ...credentials.families,
    ...credentialFamilies({ snapshot, now, platforms: platforms.values() }),
    ...own,
    ...acceleratorFamilies(store.accelerator),
    ...auditFamilies({ counts: deps.audit.counts, settings: store.settings, clock }),
    ...deps.process.families,
  ];
  const registry = new Registry();
  register(registry, families);

  return {
    onBegin: calls.onBegin,
    onCall: calls.onCall,
    onEvent: credentials.onEvent,
    onUserFailure: credentials.onUserFailure,
    counting: credentials.counting,
    reload() {
      names = readNames(nameSources());
      calls.rename(names);
      credentials.rename(names);
    },
    families,
    text: () => registry.metrics(),
    close: () => deps.process.close(),
  };
}

/** GET /metrics. */
export function readMetrics(metrics: Metrics): Handler<'metrics'> {
  return async () => ({ answer: await metrics.text() });
}
