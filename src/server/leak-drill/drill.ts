import { z } from 'zod';
import { BridgeError } from '../../base/errors.ts';
import { jsonObjectIn } from '../../base/json-object.ts';
import { DRILL_STEPS } from '../../contract/leak-drill.ts';
import type { App } from '../../platforms/platform.ts';

/** One step of a drill. */
export type StepName = (typeof DRILL_STEPS)[number];

const DAY_MS = 24 * 60 * 60_000;
/** How long a drill can be looked at, and how many; of each app the latest alone is kept. */
const KEPT_MS = 400 * DAY_MS;
const MOST_KEPT = 200;

const stepRecord = z.object({
  startedAt: z.number(),
  endedAt: z.number().optional(),
  outcome: z.string().optional(),
});

const drillRecord = z.object({
  id: z.string(),
  platform: z.string(),
  appid: z.string(),
  app: z.string(),
  state: z.enum(['running', 'done', 'failed']),
  reason: z.string().optional(),
  actor: z.string().optional(),
  remoteAddress: z.string().optional(),
  startedAt: z.number(),
  endedAt: z.number().optional(),
  /** From when on the report looks. */
  since: z.number(),
  /** Random; whoever does the work wrote it there last, and nobody else may write. */
  runner: z.string(),
  /** How often another runner took over. */
  resumed: z.number(),
  steps: z.partialRecord(z.enum(DRILL_STEPS), stepRecord),
  /** Fingerprint of what each refresh is to end, written down before it is ended. */
  ends: z.partialRecord(z.enum(['first-refresh', 'second-refresh']), z.string()),
  /** In the order in which they were held; `at` is when that was seen. */
  tokens: z.array(
    z.object({
      fingerprint: z.string(),
      issuedAt: z.number(),
      at: z.number(),
      probe: z.enum(['refused', 'taken']).optional(),
    }),
  ),
  keys: z.array(z.object({ caller: z.string(), fingerprint: z.string() })),
  callers: z.array(z.string()),
  tickets: z.array(z.object({ kind: z.string(), outcome: z.string() })),
});

/** What all nodes know of a drill. It holds no value: tokens and keys stand in it by fingerprint. */
export type Drill = Readonly<z.infer<typeof drillRecord>>;

/** The latest drill of each app, by `drillSubject`. */
export type Drills = Readonly<Record<string, Drill>>;

const drillsDocument = z.record(z.string(), drillRecord);

/** Name of the setting that holds them. */
export const DRILLS_SETTING = 'leak-drills';

/** Reads the stored drills. Throws STORE_UNAVAILABLE when they are none. */
export function parseDrills(text: string | undefined): Drills {
  if (text === undefined) return {};
  const read = drillsDocument.safeParse(jsonObjectIn(text));
  if (read.success) return read.data;
  throw new BridgeError('STORE_UNAVAILABLE', `${DRILLS_SETTING} in open_bridge_settings cannot be read`, {
    hint: 'remove that row: nothing is lost with it but what earlier leak drills did, which the audit log has too',
  });
}

/** Names an app's drill among all. */
export function drillSubject({ platform, appid }: Pick<App, 'platform' | 'appid'>): string {
  return `${platform}:${appid}`;
}

/** The drills with this one in its place, and without those that nobody asks for any more. */
export function withDrill(drills: Drills, subject: string, drill: Drill, now: number): Drills {
  const others = Object.entries(drills).filter(([name]) => name !== subject);
  const kept = others
    .filter(([, { startedAt }]) => startedAt > now - KEPT_MS)
    .toSorted(([, a], [, b]) => rank(b) - rank(a))
    .slice(0, MOST_KEPT - 1);
  return { ...Object.fromEntries(kept), [subject]: drill };
}

/** Running ones count as the latest: they are never left out before others. */
function rank({ state, startedAt }: Drill): number {
  return state === 'running' ? Number.POSITIVE_INFINITY : startedAt;
}

/** Whether a step of a drill is behind it. */
export function isDone(drill: Drill, step: StepName): boolean {
  return drill.steps[step]?.endedAt !== undefined;
}
