import { z } from 'zod';

/** A configured app, without its secret. */
export const appSummary = z
  .object({
    name: z.string(),
    platform: z.string(),
    appid: z.string(),
    dcloudAppid: z.string().nullable(),
    default: z.boolean().describe('whether calls that name no app act as this one'),
    tokenEndpoint: z.enum(['stable', 'classic']),
    renews: z.array(z.string()).describe('kinds kept fresh in the background'),
  })
  .meta({ id: 'App' });

export const appList = z.object({ apps: z.array(appSummary) }).meta({ id: 'AppList' });
