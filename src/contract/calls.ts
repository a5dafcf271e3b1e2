import { z } from 'zod';

/** Days of usage that are shown unless told otherwise, and the most that are kept. */
export const USAGE_DAYS = 7;
export const USAGE_DAYS_KEPT = 400;

const moment = z.iso.datetime().describe('ISO 8601, UTC');

/** One call through the gateway. It holds no query, no body and no credential. */
export const callRecord = z
  .object({
    seqid: z.string().describe('the x-openapi-seqid of the answer'),
    startedAt: moment,
    durationMs: z.number().int(),
    upstreamMs: z.number().int().describe("of that, waiting for the platform's answer to begin"),
    sends: z
      .number()
      .int()
      .describe('how often it was sent to the platform; 0 when the answer was made by the gateway'),
    method: z.string(),
    path: z.string().describe('without the query; empty when the request was malformed'),
    remoteAddress: z.string(),
    caller: z.string().nullable(),
    platform: z.string().nullable(),
    app: z.string().nullable().describe('name of the app at the time'),
    appid: z.string().nullable(),
    injected: z.boolean().describe('whether it went out with one of our credentials'),
    credential: z.string().nullable().describe('fingerprint of the credential it went out with or asked for'),
    status: z.number().int(),
    errcode: z.number().int().nullable(),
    rid: z.string().nullable().describe("the platform's own request id, if it told one"),
    failure: z.string().nullable().describe('our own code, when the answer is an error of ours'),
    replayed: z.boolean().describe('whether it was sent again with a repaired credential'),
    requestBytes: z.number().int(),
    answerBytes: z.number().int(),
    end: z
      .enum(['whole', 'cut', 'caller-gone'])
      .describe('whole: the answer was handed over; cut: it broke off; caller-gone: nobody waited for it'),
  })
  .meta({ id: 'Call' });

export type CallBody = z.infer<typeof callRecord>;

/** What the platform keeps of a call, in its own words, with tokens and secrets masked. */
export const platformRecord = z
  .object({
    errcode: z.number().int(),
    errmsg: z.string(),
    request: z
      .looseObject({
        invoke_time: z.number().optional().describe('seconds since the Unix epoch'),
        cost_in_ms: z.number().optional(),
        request_url: z.string().optional(),
        request_body: z.string().optional(),
        response_body: z.string().optional(),
        client_ip: z.string().optional(),
      })
      .nullable()
      .describe('null when the platform told nothing'),
  })
  .meta({ id: 'PlatformRecord' });

export const callDetail = callRecord
  .extend({
    platformRecord: platformRecord
      .nullable()
      .describe('null unless asked for with rid=true, and when the platform gave the call no rid'),
  })
  .meta({ id: 'CallDetail' });

export const callSelector = z.strictObject({
  seqid: z.string().min(1).max(64).describe('x-openapi-seqid of an answer, or the rid in its errmsg'),
});

export const callDetailOptions = z.strictObject({
  rid: z
    .boolean()
    .default(false)
    .describe('also ask the platform what it keeps of the call (administrators, or scope operate)'),
});

export const callQuery = z.strictObject({
  caller: z.string().min(1).max(255).optional().describe('name of the caller'),
  app: z.string().min(1).max(128).optional().describe('name or appid of the app'),
  errcode: z.int().optional(),
  failed: z
    .boolean()
    .default(false)
    .describe('only calls with an errcode, a status from 400, an error of ours, or an answer cut short'),
  before: z.iso.datetime().optional().describe('only calls that began before this time'),
  limit: z.int().min(1).max(200).default(20),
  cursor: z.string().max(64).optional().describe('`next` of the page before'),
});

export const callList = z
  .object({
    calls: z.array(callRecord).describe('the latest first'),
    next: z.string().nullable().describe('cursor of the next page; null when there are no more'),
  })
  .meta({ id: 'CallList' });

export const usageQuery = z.strictObject({
  days: z
    .int()
    .min(1)
    .max(USAGE_DAYS_KEPT)
    .default(USAGE_DAYS)
    .describe('how many days, the present one included'),
  caller: z.string().min(1).max(255).optional().describe('name of the caller'),
});

/** What one caller did as one app on one day. */
export const usageRow = z
  .object({
    day: z.iso.date().describe("in China time, as the platform's own counters"),
    caller: z.string().nullable().describe('null: not known'),
    app: z.string().nullable().describe('its present name; null when it is not configured'),
    appid: z.string().nullable(),
    calls: z.number().int(),
    errors: z.number().int().describe('answered by the platform with an errcode other than 0'),
    refused: z.number().int().describe('answered with an error of ours'),
    replayed: z.number().int(),
    requestBytes: z.number().int(),
    answerBytes: z.number().int(),
  })
  .meta({ id: 'Usage' });

export const usageList = z
  .object({ since: z.iso.date(), usage: z.array(usageRow).describe('the latest day first') })
  .meta({ id: 'UsageList' });
