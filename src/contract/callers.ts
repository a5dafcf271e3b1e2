import { z } from 'zod';

const keyFingerprint = z
  .string()
  .regex(/^[0-9a-f]{16}$/, 'must be the first 16 hex digits of the SHA-256 of the key')
  .describe('first 16 hex digits of the SHA-256 of the key');

/** A configured caller, without its keys. */
export const callerSummary = z
  .object({
    name: z.string(),
    apps: z.array(z.string()).nullable().describe('null: all apps'),
    allow: z.array(z.string()).nullable().describe('null: whatever the environment allows'),
    scopes: z.array(z.string()),
    tokens: z.enum(['real', 'virtual']),
    expires: z.iso.datetime().nullable().describe('refused from then on; null: never'),
    keys: z.array(
      z.object({
        fingerprint: keyFingerprint,
        revokedAt: z.iso.datetime().nullable().describe('null while it is good'),
      }),
    ),
  })
  .meta({ id: 'Caller' });

export const callerList = z.object({ callers: z.array(callerSummary) }).meta({ id: 'CallerList' });

export const callerSelector = z
  .object({ caller: z.string().min(1).describe('configured name of the caller') })
  .meta({ id: 'CallerSelector' });

export const revocation = z
  .object({
    caller: z.string(),
    revokedUntil: z.iso.datetime().describe('tokens given up to this time no longer work'),
  })
  .meta({ id: 'Revocation' });

export const keySelector = callerSelector
  .extend({
    fingerprint: keyFingerprint.optional().describe('of one key; without it, all keys of the caller'),
  })
  .meta({ id: 'CallerKeySelector' });

export const keyRevocation = z
  .object({
    caller: z.string(),
    revokedAt: z.iso.datetime(),
    revoked: z
      .array(keyFingerprint)
      .describe('keys that are refused from now on, by every node within a second'),
    left: z.array(keyFingerprint).describe('keys of the caller that are still good'),
  })
  .meta({ id: 'CallerKeyRevocation' });
