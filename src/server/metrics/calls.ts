import { ERRORS, type ErrorCode } from '../../base/errors.ts';
import type { CallRecord } from '../../gateway/record.ts';
import type { ErrorClass, PlatformId } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import {
  type Durations,
  type Family,
  histogramSamples,
  newDurations,
  observe,
  type Sample,
} from './family.ts';
import { createPathLabels, type Names, NONE, OTHER } from './names.ts';

/** How a call can end, and where it is counted. */
const OUTCOMES = { ok: 0, platform_error: 1, refused: 2, failed: 3, cut: 4, caller_gone: 5 } as const;
type Outcome = (typeof OUTCOMES)[keyof typeof OUTCOMES];

/** Most pairs of app and caller with a label of their own; callers beyond it share `_other`. */
const MOST_PAIRS = 5000;

/** What is counted of the calls of one app. */
interface AppTally {
  /** Calls by caller, then by outcome. */
  readonly callers: Map<string | undefined, Float64Array>;
  readonly errcodes: Map<number, { readonly class: ErrorClass; count: number }>;
  unknownErrcodes: number;
  replays: number;
  requestBytes: number;
  answerBytes: number;
}

interface PathTally {
  readonly call: Durations;
  readonly upstream: Durations;
}

/** Counts calls. */
export interface CallCounts {
  onBegin(): void;
  onCall(record: CallRecord): void;
  /** Takes other names, as after a reload. What was counted under names that are gone is dropped. */
  rename(names: Names): void;
  readonly families: readonly Family[];
}

/**
 * Counts calls in plain numbers, found by two look-ups of the app and the caller, so that counting costs
 * next to nothing beside the call. Labels are put together when somebody reads.
 */
export function createCallCounts(initial: Names): CallCounts {
  let names = initial;
  let apps = new Map<string | undefined, AppTally>();
  let otherApp = newAppTally();
  let pairs = 0;
  let paths = createPathLabels(names.paths, newPathTally);
  let inFlight = 0;
  const refusals = new Map(Object.keys(ERRORS).map(code => [code as ErrorCode, 0]));

  function admitApp(name: string | undefined): AppTally {
    if (name !== undefined && !names.apps.has(name)) return otherApp;
    const tally = newAppTally();
    apps.set(name, tally);
    return tally;
  }

  function admitCaller({ callers }: AppTally, name: string | undefined): Float64Array {
    const known = name === undefined || (names.callers.has(name) && pairs < MOST_PAIRS);
    const label = known ? name : OTHER;
    let outcomes = callers.get(label);
    if (outcomes === undefined) {
      outcomes = new Float64Array(Object.keys(OUTCOMES).length);
      callers.set(label, outcomes);
      pairs += 1;
    }
    return outcomes;
  }

  return {
    onBegin() {
      inFlight += 1;
    },
    onCall(record) {
      inFlight -= 1;
      const app = apps.get(record.app) ?? admitApp(record.app);
      const outcomes = app.callers.get(record.caller) ?? admitCaller(app, record.caller);
      const outcome = outcomeOf(record);
      outcomes[outcome] = (outcomes[outcome] as number) + 1;
      app.requestBytes += record.requestBytes;
      app.answerBytes += record.answerBytes;
      if (record.replayed) app.replays += 1;
      const path = paths.of(record.path);
      observe(path.call, record.durationMs);
      if (record.failure !== undefined) {
        refusals.set(record.failure, (refusals.get(record.failure) ?? 0) + 1);
      } else if (record.sends > 0) {
        observe(path.upstream, record.upstreamMs);
        if (record.errcode !== undefined && record.errcode !== 0) countErrcode(app, record);
      }
    },
    rename(next) {
      names = next;
      apps = new Map([...apps].filter(([name]) => name === undefined || names.apps.has(name)));
      // Apps that share a label may have changed; a counter that starts anew is understood by all readers.
      otherApp = newAppTally();
      pairs = 0;
      for (const { callers } of apps.values()) {
        for (const caller of callers.keys())
          if (caller !== undefined && caller !== OTHER && !names.callers.has(caller)) callers.delete(caller);
        pairs += callers.size;
      }
      const before = new Map(paths.all());
      paths = createPathLabels(names.paths, label => before.get(label) ?? newPathTally());
    },
    families: [
      {
        name: 'open_bridge_calls_total',
        help: 'Calls that are over, by app, caller and how they ended.',
        type: 'counter',
        labels: ['app', 'caller', 'outcome'],
        *samples() {
          for (const [app, { callers }] of tallies()) {
            for (const [caller = NONE, outcomes] of callers) {
              for (const [outcome, at] of Object.entries(OUTCOMES)) {
                const value = outcomes[at] ?? 0;
                if (value > 0) yield { labels: { app, caller, outcome }, value };
              }
            }
          }
        },
      },
      histogram(
        'open_bridge_call_duration_seconds',
        'Time from the head of a request until its answer had left the gateway.',
        tally => tally.call,
      ),
      histogram(
        'open_bridge_upstream_duration_seconds',
        'Time calls waited for the platform to begin its answer, replays included; only calls it answered.',
        tally => tally.upstream,
      ),
      {
        name: 'open_bridge_calls_in_flight',
        help: 'Calls that are under way.',
        type: 'gauge',
        labels: [],
        samples: () => [{ value: inFlight }],
      },
      {
        name: 'open_bridge_errcodes_total',
        help: 'Answers of the platform with an errcode other than 0; codes the bridge has no rule for are "other".',
        type: 'counter',
        labels: ['app', 'errcode', 'class'],
        *samples() {
          for (const [app, { errcodes, unknownErrcodes }] of tallies()) {
            for (const [errcode, { class: errorClass, count }] of errcodes)
              yield { labels: { app, errcode: String(errcode), class: errorClass }, value: count };
            if (unknownErrcodes > 0)
              yield { labels: { app, errcode: 'other', class: 'other' }, value: unknownErrcodes };
          }
        },
      },
      perApp(
        'open_bridge_replays_total',
        'Calls sent again with another credential because the platform refused the first.',
        tally => tally.replays,
      ),
      {
        name: 'open_bridge_refusals_total',
        help: 'Answers the gateway made itself instead of the platform, by the code of the error.',
        type: 'counter',
        labels: ['code'],
        samples: () => [...refusals].map(([code, value]) => ({ labels: { code }, value })),
      },
      perApp(
        'open_bridge_request_bytes_total',
        'Bytes of request bodies received from callers.',
        tally => tally.requestBytes,
      ),
      perApp('open_bridge_response_bytes_total', 'Bytes of answer bodies.', tally => tally.answerBytes),
    ],
  };

  function* tallies(): Generator<[label: string, tally: AppTally]> {
    for (const [name = NONE, tally] of apps) yield [name, tally];
    if (otherApp.callers.size > 0) yield [OTHER, otherApp];
  }

  function perApp(name: string, help: string, read: (tally: AppTally) => number): Family {
    const samples = (): Sample[] =>
      [...tallies()].map(([app, tally]) => ({ labels: { app }, value: read(tally) }));
    return { name, help, type: 'counter', labels: ['app'], samples };
  }

  function histogram(name: string, help: string, read: (tally: PathTally) => Durations): Family {
    return {
      name,
      help,
      type: 'histogram',
      labels: ['path'],
      *samples() {
        for (const [path, tally] of paths.all()) yield* histogramSamples(name, { path }, read(tally));
      },
    };
  }
}

function newAppTally(): AppTally {
  return {
    callers: new Map(),
    errcodes: new Map(),
    unknownErrcodes: 0,
    replays: 0,
    requestBytes: 0,
    answerBytes: 0,
  };
}

function newPathTally(): PathTally {
  return { call: newDurations(), upstream: newDurations() };
}

function outcomeOf({ end, failure, status, errcode }: CallRecord): Outcome {
  if (end === 'caller-gone') return OUTCOMES.caller_gone;
  if (end === 'cut') return OUTCOMES.cut;
  if (failure !== undefined) return status < 500 ? OUTCOMES.refused : OUTCOMES.failed;
  const refused = status >= 400 || (errcode !== undefined && errcode !== 0);
  return refused ? OUTCOMES.platform_error : OUTCOMES.ok;
}

/** Only codes that the platform's table has a rule for get a label: business code can be answered any number. */
function countErrcode(app: AppTally, { errcode = 0, platform }: CallRecord): void {
  const known = app.errcodes.get(errcode);
  if (known !== undefined) {
    known.count += 1;
    return;
  }
  const rule = platform === undefined ? undefined : platformOf(platform as PlatformId).errorRule(errcode);
  if (rule === undefined || rule.class === 'other') app.unknownErrcodes += 1;
  else app.errcodes.set(errcode, { class: rule.class, count: 1 });
}
