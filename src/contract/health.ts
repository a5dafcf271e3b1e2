import { z } from 'zod';

export const liveness = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' });

/**
 * `degraded` still serves what is in memory; the checks say what is wrong. `draining` serves everything and
 * is about to stop.
 */
export const readiness = z
  .object({
    status: z.enum(['ok', 'degraded', 'draining']),
    checks: z.record(z.string(), z.string()).describe('"ok" or what is wrong'),
  })
  .meta({ id: 'Readiness' });
