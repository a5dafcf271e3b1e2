// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import * as z from 'zod';
import { allowPatternFault } from '../access/allow-list.ts';
import { CALLER_SCOPES } from '../access/callers.ts';
import { DEFAULT_GATEWAY_SETTINGS as GATEWAY, originFault } from '../gateway/settings.ts';
import { sealKeyFault } from '../stores/sealing.ts';
import { CALL_LOG } from './call-log.ts';
import {
  addressFault,
  appidFault,
  DEFAULT_LISTEN,
  databaseFault,
  filePathFault,
  KEY_MIN_LENGTH,
  keyFault,
  nameFault,
  parseListen,
  SEAL_KEY_ADVICE,
  secretFault,
} from './fields.ts';
import { LATER_MESSAGE, LATER_PLATFORMS } from './later.ts';

/** Node's timers fire at once above this, which would turn a long timeout into none. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * A string with a rule of its own. The rule is not a pattern, because the JSON Schema made from this one
 * must leave `${env:NAME}` alone in editors.
 */
function text(faultOf: (value: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = faultOf(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

/** The fault of a word that will mean something one day; other words are left to the general message. */
const laterValue =
  (words: ReadonlySet<string>) =>
  (issue: { readonly input?: unknown }): string | undefined =>
    typeof issue.input === 'string' && words.has(issue.input) ? LATER_MESSAGE : undefined;

const listenFault = (value: string): string | undefined => {
  const read = parseListen(value);
  return typeof read === 'string' ? read : undefined;
};

const bytes = (least: number) => z.int().min(least).max(Number.MAX_SAFE_INTEGER);

const app = z
  .strictObject({
    name: text(nameFault).describe('Short name of the app, used by callers, commands and logs.'),
    platform: z
      .enum(['weixin-mp', 'weixin-h5'], { error: laterValue(LATER_PLATFORMS) })
      .describe('weixin-mp: a mini-program. weixin-h5: an official account.'),
    appid: text(appidFault).describe('The appid the platform gave, such as wx0000000000000001.'),
    secret: text(secretFault).describe('The appsecret. Write ${env:NAME} or ${file:PATH}, not the value.'),
    dcloudAppid: text(appidFault)
      .optional()
      .describe('The DCloud appid (__UNI__…) under which uni-open-bridge knows this app.'),
    default: z.boolean().default(false).describe('Calls that name no app act as this one.'),
    tokenEndpoint: z
      .enum(['stable', 'classic'])
      .default('stable')
      .describe('Endpoint the access_token comes from: /cgi-bin/stable_token or /cgi-bin/token.'),
  })
  .describe('One appid on one platform.');

const key = text(keyFault);

const caller = z
  .strictObject({
    name: text(nameFault).describe('Name of the caller in logs and in the audit trail.'),
    key: key
      .optional()
      .describe(
        `Key the caller sends as x-bridge-key, at least ${KEY_MIN_LENGTH} characters. Kept hashed only.`,
      ),
    keys: z.array(key).optional().describe('Several keys instead of one, to change them without a gap.'),
    addresses: z
      .array(text(addressFault))
      .optional()
      .describe('IP addresses or CIDR ranges from which the caller needs no key.'),
    apps: z
      .array(z.string())
      .optional()
      .describe('Names or appids of the apps the caller may act as. Without it: all.'),
    allow: z
      .array(text(allowPatternFault))
      .optional()
      .describe('Paths this caller is confined to, beside openapi.allow. Exact, or ending in /*.'),
    scopes: z
      .array(z.enum(CALLER_SCOPES))
      .optional()
      .describe('Rights of the caller. Without it: call and credential:report.'),
    tokens: z
      .enum(['real', 'virtual'])
      .default('real')
      .describe(
        'What the caller is handed as an access_token: the platform’s own, or a stand-in that only this gateway understands and that can be taken back.',
      ),
    rateLimit: z
      .strictObject({
        perSecond: z
          .number()
          .min(0.001)
          .max(1_000_000)
          .describe('Calls a second in the long run; 0.5 is one in two seconds.'),
        burst: z
          .int()
          .min(1)
          .max(1_000_000)
          .optional()
          .describe('Calls at once after a pause. Without it: as many as one second brings.'),
      })
      .optional()
      .describe('How fast the caller may call through the gateway. Each node counts for itself.'),
  })
  .describe('Somebody who may use the bridge: a key, an address range or both.');

const scheduled = <const Tasks extends readonly [string, ...string[]]>(tasks: Tasks, about: string) =>
  z
    .strictObject({
      enable: z.boolean().describe('Whether anything is renewed for this platform.'),
      tasks: z.array(z.enum(tasks)).default([]).describe('What is kept fresh in the background.'),
    })
    .optional()
    .describe(about);

const schedule = z
  .strictObject({
    enable: z.boolean().describe('Whether anything is renewed for this DCloud appid.'),
    'weixin-mp': scheduled(['accessToken'], 'Renewal for the mini-program.'),
    'weixin-h5': scheduled(
      ['accessToken', 'ticket'],
      'Renewal for the official account; ticket brings accessToken.',
    ),
  })
  .describe('Background renewal for one DCloud appid.');

const sealKey = text(sealKeyFault);

const storage = z.strictObject(
  {
    database: text(databaseFault)
      .default('sqlite:./data/open-bridge.db')
      .describe('sqlite:PATH, relative to this file’s folder.'),
    redis: z
      .null({ error: LATER_MESSAGE })
      .optional()
      .describe('Not available in this version: leave it null.'),
    sealKey: z
      .union([sealKey, z.array(sealKey).min(1)], {
        error: issue => (issue.input === undefined ? `is missing; ${SEAL_KEY_ADVICE}` : undefined),
      })
      .describe('32 random bytes in base64 that seal what is stored. Of several, the first seals, all open.'),
    keyFormat: z
      .enum(['dcloudAppid', 'appid'])
      .default('dcloudAppid')
      .describe('Which id stands in the names of stored credentials.'),
  },
  {
    error: issue =>
      issue.input === undefined ? `is missing; it must hold "sealKey": ${SEAL_KEY_ADVICE}` : undefined,
  },
);

/**
 * The configuration file after interpolation. It checks and fills in defaults but changes nothing, so that
 * the JSON Schema for editors comes from it too; `buildSettings` makes the Settings.
 */
export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe('The JSON Schema editors check this file with.'),
    apps: z.array(app).default([]).describe('The apps the bridge holds credentials for.'),
    openapi: z
      .strictObject({
        enabled: z.boolean().default(true).describe('Whether the gateway forwards calls.'),
        allow: z
          .array(text(allowPatternFault))
          .default([])
          .describe('Paths that get a credential: exact, or a prefix ending in /*.'),
      })
      .prefault({})
      .describe('The auth-free gateway.'),
    callers: z.array(caller).default([]).describe('Who may use the bridge.'),
    schedule: z
      .record(z.string(), schedule)
      .default({})
      .describe('Background renewal, by DCloud appid. Without an entry the access_token is renewed.'),
    storage: storage.describe('Where state lives and how it is sealed.'),
    listen: z
      .strictObject({
        control: text(listenFault)
          .default(DEFAULT_LISTEN.control)
          .describe('Address of the control API, host:port.'),
        gateway: text(listenFault)
          .nullable()
          .default(DEFAULT_LISTEN.gateway)
          .describe('Address of the gateway, host:port; null switches it off.'),
        gatewayTls: text(listenFault)
          .nullable()
          .default(DEFAULT_LISTEN.gatewayTls)
          .describe('Address of the gateway for HTTPS, host:port; null switches it off.'),
      })
      .prefault({})
      .describe('Addresses to listen on. Port 0 takes any free port.'),
    upstream: z
      .strictObject({
        weixin: text(originFault)
          .default(GATEWAY.upstream.weixin)
          .describe('Origin of the WeChat API; a proxy or the simulator can stand in.'),
      })
      .prefault({})
      .describe('Where the platforms are.'),
    gateway: z
      .strictObject({
        timeoutMs: z
          .int()
          .min(1)
          .max(LONGEST_TIMER_MS)
          .default(GATEWAY.timeoutMs)
          .describe('Longest a call may take, in milliseconds.'),
        maxRequestBytes: bytes(1).default(GATEWAY.maxRequestBytes).describe('Largest request body.'),
        maxResponseBytes: bytes(1).default(GATEWAY.maxResponseBytes).describe('Largest answer.'),
        replayMemoryBytes: bytes(0)
          .default(GATEWAY.replayMemoryBytes)
          .describe('Largest body kept so that a call with a refused token can be sent again.'),
        replayMemoryTotalBytes: bytes(0)
          .default(GATEWAY.replayMemoryTotalBytes)
          .describe('The same for all calls under way together.'),
        connectionsPerOrigin: z
          .int()
          .min(1)
          .max(65_535)
          .default(GATEWAY.connectionsPerOrigin)
          .describe('Connections held to each platform.'),
        certificateFile: text(filePathFault)
          .optional()
          .describe(
            'Where the CA certificate that callers over HTTPS must trust is written. Without it: gateway-ca.crt beside the database.',
          ),
      })
      .prefault({})
      .describe('Limits of the gateway, and its certificate.'),
    admin: z
      .strictObject({
        keys: z
          .array(key)
          .default([])
          .describe('Keys for the control API. With none, one is made at first start.'),
      })
      .prefault({})
      .describe('Administrators.'),
    metrics: z
      .strictObject({
        public: z
          .boolean()
          .default(false)
          .describe('Whether /metrics is open to everybody who reaches the control API.'),
        maxApps: z
          .int()
          .min(0)
          .max(100_000)
          .default(1000)
          .describe('Apps with metrics of their own, in the order above; the rest are counted together.'),
      })
      .prefault({})
      .describe('The metrics.'),
    callLog: z
      .strictObject({
        enabled: z
          .boolean()
          .default(CALL_LOG.enabled)
          .describe(
            'Whether each call is kept, to be found by its x-openapi-seqid. Usage is counted anyway.',
          ),
        maxAgeDays: z
          .int()
          .min(1)
          .max(3650)
          .default(CALL_LOG.maxAgeDays)
          .describe('How many days calls are kept.'),
        maxCalls: z
          .int()
          .min(1)
          .max(1_000_000_000)
          .default(CALL_LOG.maxCalls)
          .describe('How many calls are kept; each takes about 260 bytes.'),
      })
      .prefault({})
      .describe('The record of calls in the database: no query, no body, no token.'),
    log: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity logged.'),
      })
      .prefault({})
      .describe('The log.'),
  })
  .describe('Configuration of open-bridge. Any string may hold ${env:NAME} and ${file:PATH}.');

/** A configuration that passed the schema: defaults filled in, secrets still in clear. Never log it. */
export type ConfigFile = z.output<typeof configSchema>;
