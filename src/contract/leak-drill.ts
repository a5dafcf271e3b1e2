import { z } from 'zod';

const moment = z.iso.datetime().describe('ISO 8601, UTC');
const fingerprint = z.string().describe('first 16 hex digits of the SHA-256 of the value');

/** The steps of a drill, in their order. */
export const DRILL_STEPS = [
  'look',
  'revoke',
  'first-refresh',
  'tickets',
  'wait',
  'second-refresh',
  'check',
] as const;

/** Most callers and keys named in one request. */
const MOST_KEYS = 100;

export const drillSelector = z.strictObject({
  app: z.string().min(1).max(128).describe('name or appid of the app'),
});

export const drillRequest = z
  .strictObject({
    revokeCallerKeys: z
      .array(z.string().min(1).max(255))
      .max(MOST_KEYS)
      .default([])
      .describe(
        'caller keys to take back for good: the name of a caller for all of its keys, or the fingerprint of one; administrators only',
      ),
    since: z.iso
      .datetime()
      .optional()
      .describe('from when on the report tells who had tokens; without it, since the present one was issued'),
    rehearsal: z.boolean().default(false).describe('look and report, and change nothing'),
  })
  .meta({ id: 'LeakDrillRequest' });

export const drillOptions = z.strictObject({
  report: z.boolean().default(false).describe('also who had the token'),
});

const step = z.object({
  name: z.enum(DRILL_STEPS),
  state: z.enum(['pending', 'running', 'done', 'failed']),
  startedAt: moment.nullable(),
  endedAt: moment.nullable(),
  outcome: z.string().nullable().describe('what came of it, in words'),
});

const token = z.object({
  fingerprint,
  issuedAt: moment,
  endsAt: moment
    .nullable()
    .describe(
      'when it ended at the platform, or will; null for the one in use and for what is not known yet',
    ),
  probe: z
    .enum(['refused', 'taken'])
    .nullable()
    .describe('what the platform made of it afterwards; null when it was not asked or could not be'),
});

const reader = z.object({
  actor: z.string().nullable().describe('name of the caller, or admin, s2s, ipWhiteList, …; null: not known'),
  address: z.string().nullable(),
  how: z.string().describe('read: by a function of uni-open-bridge; token-issued: as an SDK asks'),
  credential: fingerprint.nullable(),
  first: moment,
  last: moment,
  times: z.number().int(),
});

const bulk = z.object({
  action: z.string().describe('export or backup'),
  actor: z.string().nullable(),
  address: z.string().nullable(),
  at: moment,
});

/** Who had the token, and what to do now. */
const report = z
  .object({
    since: moment,
    readers: z
      .array(reader)
      .nullable()
      .describe('who was shown an access_token of this app; null without the scope audit:read'),
    bulk: z
      .array(bulk)
      .nullable()
      .describe(
        'times that everything stored was carried out of the database; null also for a caller that is confined to apps',
      ),
    truncated: z.boolean().describe('more entries than are looked through: ask for a later `since`'),
    calls: z
      .array(z.object({ caller: z.string().nullable(), calls: z.number().int() }))
      .describe('calls through the gateway as this app, which show the token to nobody, since `callsSince`'),
    callsSince: z.iso.date(),
    warnings: z
      .array(z.string())
      .describe('why the absence of an entry proves nothing, and what went otherwise'),
    next: z.array(z.string()).describe('what to do now'),
  })
  .meta({ id: 'LeakReport' });

/** A drill, from its plan to its report. */
export const leakDrill = z
  .object({
    id: z.string().nullable().describe('null for a rehearsal'),
    state: z
      .enum(['rehearsed', 'running', 'done', 'failed'])
      .describe('failed: see `reason`; started again within an hour it goes on where it failed'),
    reason: z.string().nullable(),
    app: z.string(),
    appid: z.string(),
    platform: z.string(),
    startedAt: moment,
    endedAt: moment.nullable(),
    startedBy: z.string().nullable(),
    method: z
      .enum(['forced', 'classic'])
      .describe(
        'forced: each refresh ends the token before it at once; classic: a token outlives its successor by minutes, and the second successor ends it',
      ),
    apartSeconds: z.number().describe('least time between the two refreshes'),
    steps: z.array(step),
    tokens: z.array(token).describe('the one that leaked, the one between, the one in use'),
    revokedKeys: z.array(z.object({ caller: z.string(), fingerprint })),
    revokedCallers: z.array(z.string()).describe('callers whose virtual tokens no longer work'),
    tickets: z.array(z.object({ kind: z.string(), outcome: z.string() })),
    budget: z.object({
      name: z.string(),
      used: z.number().int(),
      left: z.number().int().describe("in the present window, the operator's share included"),
    }),
    report: report.nullable().describe('null unless asked for'),
  })
  .meta({ id: 'LeakDrill' });

export type LeakDrillBody = z.infer<typeof leakDrill>;
export type LeakReportBody = z.infer<typeof report>;
