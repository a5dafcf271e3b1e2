// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import * as z from 'zod';
import { addressRuleFault } from '../access/addresses.ts';
import { allowPatternFault } from '../access/allow-list.ts';
import { CALLER_SCOPES } from '../access/callers.ts';
import { S2S_QUIRKS } from '../access/s2s.ts';
import { S2S_HASHES } from '../access/s2s-payload.ts';
import { DEFAULT_GATEWAY_SETTINGS as GATEWAY, originFault } from '../gateway/settings.ts';
import { sealKeyFault } from '../stores/sealing.ts';
import { AUDIT } from './audit.ts';
import { CALL_LOG } from './call-log.ts';
import {
  addressFault,
  appidFault,
  certificateFault,
  connectCodeFault,
  DEFAULT_LISTEN,
  databaseFault,
  filePathFault,
  folderPathFault,
  followFault,
  instantFault,
  KEY_MIN_LENGTH,
  keyFault,
  nameFault,
  parseListen,
  prefixFault,
  SEAL_KEY_ADVICE,
  secretFault,
} from './fields.ts';
import { redisSchema } from './redis.ts';
import { SCHEDULED_TASKS } from './schedule.ts';
import { SHUTDOWN } from './shutdown.ts';

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

const listenFault = (value: string): string | undefined => {
  const read = parseListen(value);
  return typeof read === 'string' ? read : undefined;
};

const bytes = (least: number) => z.int().min(least).max(Number.MAX_SAFE_INTEGER);

const dcloudAppid = text(appidFault);

const app = z
  .strictObject({
    name: text(nameFault).describe('Short name of the app, used by callers, commands and logs.'),
    platform: z
      .enum(['weixin-mp', 'weixin-h5', 'weixin-web', 'weixin-app', 'qq-mp', 'qq-app'])
      .describe(
        'weixin-mp: a WeChat mini-program. weixin-h5: an official account. weixin-web, weixin-app: WeChat login of a website or a mobile app. qq-mp: a QQ mini-program. qq-app: QQ login of an app.',
      ),
    appid: text(appidFault).describe('The appid the platform gave, such as wx0000000000000001.'),
    secret: text(secretFault)
      .optional()
      .describe(
        'The appsecret. Write ${env:NAME} or ${file:PATH}, not the value. Only an app with "managed": false may go without.',
      ),
    managed: z
      .boolean()
      .default(true)
      .describe(
        'Whether credentials are fetched from the platform. false: a token server of your own pushes them in; they are read by everyone and never fetched or renewed here.',
      ),
    dcloudAppid: z
      .union([dcloudAppid, z.array(dcloudAppid).min(1)])
      .optional()
      .describe(
        'The DCloud appid (__UNI__…) under which uni-open-bridge knows this app, or several. "*" is every one that is no other app’s on this platform, as it is without this setting.',
      ),
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
      .describe(
        'Rights of the caller. call: use the gateway. credential:read: be given credentials. credential:write: set, remove and update them through uni-open-bridge. credential:report: report refused ones. session:use: have users’ sessions used (login, check, reset, decrypt, verify, sign) without seeing them. calls:read: look up its own calls. metrics:read: read /metrics. audit:read: read the audit log. operate: rotate credentials and what else operators do. Without it: call and credential:report.',
      ),
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
    expires: text(instantFault)
      .optional()
      .describe(
        'Moment from which the caller is refused, with its zone: 2026-12-31T00:00:00Z. Its keys, addresses and virtual tokens end together.',
      ),
  })
  .describe('Somebody who may use the bridge: a key, an address range or both.');

const scheduled = (platform: keyof typeof SCHEDULED_TASKS, about: string) =>
  z
    .strictObject({
      enable: z.boolean().describe('Whether anything is renewed for this platform.'),
      tasks: z
        .array(z.enum(SCHEDULED_TASKS[platform]))
        .default([])
        .describe('What is kept fresh in the background.'),
    })
    .optional()
    .describe(about);

const schedule = z
  .strictObject({
    enable: z.boolean().describe('Whether anything is renewed for this DCloud appid.'),
    'weixin-mp': scheduled('weixin-mp', 'Renewal for the mini-program.'),
    'weixin-h5': scheduled('weixin-h5', 'Renewal for the official account; ticket brings accessToken.'),
    'qq-mp': scheduled('qq-mp', 'Renewal for the QQ mini-program.'),
  })
  .describe('Background renewal for one DCloud appid.');

const s2s = z
  .strictObject({
    type: z
      .enum(['connectCode', 'sign'])
      .describe('connectCode: a secret in a header. sign: every request is signed.'),
    connectCode: text(connectCodeFault)
      .optional()
      .describe('The secret callers send. Write ${env:NAME} or ${file:PATH}, not the value.'),
    signKey: text(secretFault)
      .optional()
      .describe(
        'The key callers sign with, about 32 random characters. Write ${env:NAME} or ${file:PATH}, not the value.',
      ),
    hashMethod: z
      .enum(S2S_HASHES)
      .default('hmac-sha256')
      .describe('How signatures are made; the same on both sides.'),
    timeDiffTolerance: z
      .number()
      .min(1)
      .max(86_400)
      .default(60)
      .describe('How many seconds the caller’s clock may differ. A signature is good once within them.'),
    quirks: z
      .array(z.enum(S2S_QUIRKS))
      .default([])
      .describe(
        'sha256-is-md5: also take MD5 digests under the name sha256, which the uni-cloud-s2s module 1.0.1 makes.',
      ),
  })
  .describe('How callers of the uni-open-bridge functions prove themselves by uni-cloud-s2s.');

const follow = z
  .strictObject({
    gateway: text(followFault).describe(
      'Origin of the gateway of the bridge that is followed, such as https://bridge.internal:7243.',
    ),
    key: key.describe(
      'A caller key of that bridge, best one with the scope call alone and an end. Write ${env:NAME} or ${file:PATH}, not the value.',
    ),
    ca: text(certificateFault)
      .optional()
      .describe(
        'The gateway-ca.crt of that bridge, as ${file:PATH}. Without it the system’s authorities must vouch for the name in gateway.',
      ),
  })
  .describe(
    'Makes this bridge follow another: calls go through that one’s gateway, and no secret, token or ticket is ever here.',
  );

const sealKeyText = text(sealKeyFault);

const sealKeyCommand = z.strictObject({
  command: z
    .array(z.string())
    .min(1)
    .describe('A program with its arguments, run without a shell, that prints one key and nothing else.'),
});

const sealKeys = z.array(
  z.union([sealKeyText, sealKeyCommand], {
    error: 'must be a sealing key, or an object with a "command" that prints one',
  }),
);

const storage = z.strictObject(
  {
    database: text(databaseFault)
      .default('sqlite:./data/open-bridge.db')
      .describe(
        'sqlite:PATH, relative to this file’s folder; or postgres://USER:PASSWORD@HOST:PORT/DATABASE, or the same with mysql://.',
      ),
    redis: redisSchema,
    redisFormat: z
      .enum(['sealed', 'plain'])
      .default('sealed')
      .describe(
        'sealed: copies in Redis are for this program alone. plain: uniCloud functions that share the Redis read and write them too, unsealed.',
      ),
    sealKey: z
      .union([sealKeyText, sealKeyCommand, sealKeys.min(1)], {
        error: issue =>
          issue.input === undefined
            ? `is missing; ${SEAL_KEY_ADVICE}`
            : 'must be a sealing key, an object with a "command" that prints one, or an array of them',
      })
      .describe(
        '32 random bytes in base64 that seal what is stored, or { "command": [program, arguments] } that prints them. Of several, the first seals, all open.',
      ),
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
    ipWhiteList: z
      .array(text(addressRuleFault))
      .default([])
      .describe(
        'IP addresses or CIDR ranges from which the uni-open-bridge functions may be called without any key. 0.0.0.0 is no wildcard.',
      ),
    s2s: s2s.optional(),
    uniOpenBridge: z
      .strictObject({
        prefix: text(prefixFault)
          .default('/uni-open-bridge')
          .describe('Path of the functions on the control API, as in /uni-open-bridge/getAccessToken.'),
        errors: z
          .enum(['http', 'uniCloud'])
          .default('http')
          .describe(
            'http: errors have a status that fits, with errCode and errMsg. uniCloud: status 200 with the envelope uniCloud makes on Aliyun.',
          ),
      })
      .prefault({})
      .describe('The uni-open-bridge functions over HTTP.'),
    uniConfigCenter: text(folderPathFault)
      .optional()
      .describe(
        'An existing uni-config-center folder, relative to this file’s folder. Its uni-id, uni-open-bridge and uni-cloud-s2s settings are used where this file has none.',
      ),
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
        qq: text(originFault)
          .default(GATEWAY.upstream.qq)
          .describe('Origin of the API for QQ mini-programs.'),
        qqConnect: text(originFault)
          .default(GATEWAY.upstream.qqConnect)
          .describe('Origin of QQ Connect, where QQ users log in to apps.'),
      })
      .prefault({})
      .describe('Where the platforms are.'),
    follow: follow.optional(),
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
          .describe('How many calls are kept, or somewhat more; each takes about 60 to 300 bytes.'),
      })
      .prefault({})
      .describe('The record of calls in the database: no query, no body, no token.'),
    audit: z
      .strictObject({
        maxAgeDays: z
          .int()
          .min(1)
          .max(36_500)
          .default(AUDIT.maxAgeDays)
          .describe('How many days entries are kept.'),
        maxEntries: z
          .int()
          .min(1000)
          .max(1_000_000_000)
          .default(AUDIT.maxEntries)
          .describe('How many entries are kept; each takes about 700 bytes.'),
      })
      .prefault({})
      .describe('The audit log: who read, set, replaced or was refused what. It holds no value.'),
    shutdown: z
      .strictObject({
        drainMs: z
          .int()
          .min(0)
          .max(3_600_000)
          .default(SHUTDOWN.drainMs)
          .describe(
            'How long everything is served on after SIGTERM while /readyz says 503, in milliseconds: time for a balancer to send calls elsewhere.',
          ),
        timeoutMs: z
          .int()
          .min(0)
          .max(LONGEST_TIMER_MS)
          .optional()
          .describe(
            'Longest wait after that for calls under way, in milliseconds. Without it: gateway.timeoutMs, by when every call is over.',
          ),
      })
      .prefault({})
      .describe('How the program stops.'),
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
