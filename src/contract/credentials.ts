import { z } from 'zod';

/** Kinds as the API writes them; stored keys write the same words with hyphens. */
export const KIND_NAMES = ['access_token', 'ticket', 'card_ticket'] as const;

const moment = z.iso.datetime().describe('ISO 8601, UTC');

/** Why a credential could not be issued, with the platform's own words. */
export const issueFailure = z
  .object({
    errcode: z.number().int().nullable().describe("the platform's errcode; null when it did not answer"),
    errmsg: z.string(),
    class: z.string().describe('token, address, configuration, quota, busy, one-shot, permission or other'),
    hint: z.string().nullable().describe('what to do about it'),
    failures: z.number().int().describe('failures in a row'),
    failedAt: moment,
    retryAt: moment.describe('when it is tried again by itself'),
  })
  .meta({ id: 'IssueFailure' });

/** Times that a credential died before its time because somebody else replaced it. */
export const earlyEnds = z
  .object({
    lastDay: z.number().int().describe('in the last 24 hours'),
    total: z.number().int().describe('of the last 30 days, 50 at most'),
    lastAt: moment,
    likelyCause: z.string(),
    advice: z.string().describe('what to do about it'),
  })
  .meta({ id: 'EarlyEnds' });

/** All that may be told of a credential without telling its value. */
export const credentialStatus = z
  .object({
    app: z.string().describe('configured name of the app'),
    appid: z.string(),
    platform: z.string(),
    kind: z.enum(KIND_NAMES),
    pushed: z
      .boolean()
      .describe(
        'whether values only come in from outside: the app is not managed, or its platform issues none',
      ),
    fingerprint: z
      .string()
      .nullable()
      .describe('first 16 hex digits of the SHA-256 of the value; null when there is none'),
    epoch: z.number().int().describe('grows by one with every new value; 0 when there was none yet'),
    issuedAt: moment.nullable(),
    expiresAt: moment.nullable().describe('null when there is none, or when it never expires'),
    expiresInSeconds: z.number().int().nullable(),
    renewAt: moment.nullable(),
    failure: issueFailure.nullable(),
    earlyEnds: earlyEnds.nullable().describe('null when there was none'),
  })
  .meta({ id: 'CredentialStatus' });

export type CredentialStatusBody = z.infer<typeof credentialStatus>;

/** Names one app-level credential. */
export const credentialSelector = z
  .object({
    appid: z.string().min(1).describe('appid or configured name of the app'),
    kind: z.enum(KIND_NAMES).default('access_token'),
  })
  .meta({ id: 'CredentialSelector' });

/** What came of replacing a credential by hand, and what is held now. */
export const rotation = credentialStatus
  .extend({
    outcome: z
      .enum(['replaced', 'already', 'kept'])
      .describe(
        'replaced: a new value came; already: another process had just replaced it; kept: the platform gave the same value again',
      ),
  })
  .meta({ id: 'Rotation' });

export type RotationBody = z.infer<typeof rotation>;

/** A caller's word that the platform refused a credential. */
export const refusalReport = credentialSelector
  .extend({
    access_token: z
      .string()
      .min(1)
      .max(4096)
      .optional()
      .describe('the refused value itself, a ticket included'),
    fingerprint: z
      .string()
      .regex(/^[0-9a-f]{16}$/, 'must be the first 16 hex digits of the SHA-256 of the value')
      .optional()
      .describe('or its fingerprint, which spares sending it'),
    errcode: z.number().int().describe('what the platform answered: 40001, 40014 or 42001'),
  })
  .refine(report => (report.access_token === undefined) !== (report.fingerprint === undefined), {
    message: 'give either access_token or fingerprint',
  })
  .meta({ id: 'RefusalReport' });

/** What came of a report. */
export const reportOutcome = z
  .object({
    outcome: z
      .enum(['superseded', 'renewed', 'kept'])
      .describe(
        'superseded: a newer value was there already; renewed: one issue replaced it; kept: it stays',
      ),
    reason: z.string().nullable().describe('why it was kept'),
    credential: credentialStatus,
  })
  .meta({ id: 'ReportOutcome' });

export const credentialList = z
  .object({ credentials: z.array(credentialStatus) })
  .meta({ id: 'CredentialList' });
