import { z } from 'zod';

/** One thing that happened. It holds no value; credentials and users stand in it by fingerprint. */
export const auditEntry = z
  .object({
    at: z.iso.datetime().describe('ISO 8601, UTC; the last time, where it happened more than once'),
    since: z.iso.datetime().describe('the first time'),
    times: z.number().int().describe('how often the same happened between since and at'),
    chain: z.string().describe('the chain the entry is in: one for each start of a process'),
    number: z.number().int().describe('its number there, from 1'),
    hash: z.string().describe('its SHA-256, which the next entry carries on'),
    node: z.string().describe('the process that wrote it'),
    action: z
      .string()
      .describe(
        'read, set, remove, update, rotate, report, login, use, token-issued, revoke, refused, reload, export, import, leak-drill; start, stop, heads, gap, prune and verify are of the log itself',
      ),
    outcome: z.string().describe('done; otherwise what was found instead, or an error code or errcode'),
    actor: z
      .string()
      .nullable()
      .describe(
        'name of the caller, or admin, s2s, ipWhiteList, local, embedded:…, command line; null: not known',
      ),
    address: z.string().nullable(),
    kind: z.string().nullable().describe('kind of the credential'),
    app: z.string().nullable().describe('name of the app at the time'),
    appid: z.string().nullable(),
    user: z.string().nullable().describe("fingerprint of the user's openid"),
    credential: z.string().nullable().describe('fingerprint of the credential'),
    detail: z.string().nullable().describe('what was called, or how'),
  })
  .meta({ id: 'AuditEntry' });

export type AuditEntryBody = z.infer<typeof auditEntry>;

export const auditQuery = z.strictObject({
  app: z.string().min(1).max(128).optional().describe('name or appid of the app'),
  credential: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional()
    .describe('fingerprint of the credential'),
  actor: z.string().min(1).max(255).optional(),
  action: z.string().min(1).max(32).optional(),
  since: z.iso.datetime().optional().describe('only entries from this time on'),
  until: z.iso.datetime().optional().describe('only entries before this time'),
  limit: z.int().min(1).max(200).default(50),
  cursor: z.string().max(80).optional().describe('`next` of the page before'),
});

export const auditList = z
  .object({
    entries: z.array(auditEntry).describe('the latest first'),
    next: z.string().nullable().describe('cursor of the next page; null when there are no more'),
  })
  .meta({ id: 'AuditList' });

export const auditHeads = z
  .object({
    heads: z
      .array(z.object({ chain: z.string(), number: z.number().int(), hash: z.string() }))
      .describe('the last entry of each chain, of those that began last; the latest chain first'),
  })
  .meta({ id: 'AuditHeads' });

export const auditHeadsQuery = z.strictObject({ limit: z.int().min(1).max(1000).default(100) });
