import { z } from 'zod';

/** A configured caller, without its keys. */
export const callerSummary = z
  .object({
    name: z.string(),
    apps: z.array(z.string()).nullable().describe('null: all apps'),
    allow: z.array(z.string()).nullable().describe('null: whatever the environment allows'),
    scopes: z.array(z.string()),
    tokens: z.enum(['real', 'virtual']),
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
