// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import * as z from 'zod';
import { Secret } from '../base/secret.ts';
import type { RedisEndpoint, RedisSettings, RedisTls } from '../stores/redis/settings.ts';
import { parseListen } from './fields.ts';

/** What `redisFormat` does when it is "plain", for the warning. */
export const PLAIN_FORMAT_WARNING =
  'puts every token and session key into Redis unsealed, for uniCloud functions that share it; whoever reads that Redis has them';

const URL_FORM = 'redis://USER:PASSWORD@HOST:PORT/0';

/** Why the URL of a Redis server cannot be taken. No part of it is quoted, as any may be a password. */
export function redisUrlFault(text: string): string | undefined {
  if (!/^rediss?:\/\//i.test(text)) return 'must be a URL that begins with redis:// or rediss://';
  const url = URL.parse(text);
  if (url === null || url.hostname === '')
    return `must be ${URL_FORM}, with special characters of user and password percent-encoded`;
  if (url.hash !== '') return 'must have no "#"; in a password, write it as %23';
  if (url.search !== '') return 'must have no parameters; write them as "redis": { "url": …, "tls": … }';
  if (!/^\/?\d{0,4}$/.test(url.pathname))
    return `may have the number of a database after the host and nothing else: ${URL_FORM}`;
  try {
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    return 'has a percent sign that is no percent-encoding; write a percent sign as %25';
  }
  return undefined;
}

function custom(faultOf: (value: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = faultOf(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

const endpoint = custom(text => {
  const address = parseListen(text);
  if (typeof address === 'string') return address;
  return address.port === 0 ? 'has the port 0, where no server is' : undefined;
});

const pem = custom(text =>
  text.includes('-----BEGIN ') ? undefined : 'must be PEM text; write "${file:PATH}" to take it from a file',
);

const tls = z.strictObject({
  ca: pem.optional().describe('PEM of the authorities to trust, such as ${file:./redis-ca.pem}.'),
  cert: pem.optional().describe('PEM of the client certificate, where the server asks for one.'),
  key: pem.optional().describe('PEM of its private key. Write ${file:PATH}, not the key.'),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe('The name in the server’s certificate, where that is not its host.'),
});

const password = z.string().min(1).optional().describe('Write ${env:NAME}, not the password.');

/** Settings that make sense only beside one of the three ways to name servers. */
const ONLY_WITH: Readonly<Record<string, readonly ('url' | 'sentinels' | 'cluster')[]>> = {
  name: ['sentinels'],
  database: ['sentinels'],
  sentinelUsername: ['sentinels'],
  sentinelPassword: ['sentinels'],
  username: ['sentinels', 'cluster'],
  password: ['sentinels', 'cluster'],
};

const servers = z
  .strictObject({
    url: custom(redisUrlFault).optional().describe('One server: redis:// or rediss://.'),
    sentinels: z
      .array(endpoint)
      .min(1)
      .optional()
      .describe('Addresses of Sentinels, host:port, which tell where the primary is.'),
    name: z.string().min(1).optional().describe('Name of the primary among those the Sentinels watch.'),
    database: z.int().min(0).max(9999).optional().describe('Number of the database behind the Sentinels.'),
    sentinelUsername: z.string().min(1).optional().describe('User for the Sentinels themselves.'),
    sentinelPassword: password,
    cluster: z
      .array(endpoint)
      .min(1)
      .optional()
      .describe('Addresses of some nodes of a Redis Cluster, host:port.'),
    username: z.string().min(1).optional().describe('User for the servers behind Sentinels or of a cluster.'),
    password,
    tls: z
      .union([z.boolean(), tls], {
        error: 'must be true, or an object with "ca", "cert", "key", "serverName"',
      })
      .optional()
      .describe('Encrypts connections; a rediss:// URL does so too.'),
  })
  .superRefine((value, context) => {
    const fault = (path: string[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const given = (['url', 'sentinels', 'cluster'] as const).filter(way => value[way] !== undefined);
    const [way] = given;
    if (way === undefined || given.length > 1) {
      fault([], 'needs one of "url", "sentinels" and "cluster"');
      return;
    }
    for (const [name, ways] of Object.entries(ONLY_WITH))
      if (value[name as keyof typeof value] !== undefined && !ways.includes(way))
        fault(
          [name],
          way === 'url' ? 'belongs into the URL, or does nothing with one' : `does nothing with "${way}"`,
        );
    if (way === 'sentinels' && value.name === undefined)
      fault(['name'], 'is missing; it is the name of the primary, such as "mymaster"');
    if (way === 'url' && value.tls !== undefined && value.tls !== false && !/^rediss:/i.test(value.url ?? ''))
      fault(['tls'], 'needs a URL that begins with rediss://');
    if (way === 'url' && value.tls === false && /^rediss:/i.test(value.url ?? ''))
      fault(['tls'], 'must not be false with a URL that begins with rediss://');
    if (typeof value.tls === 'object' && (value.tls.cert === undefined) !== (value.tls.key === undefined))
      fault(['tls'], 'needs "cert" and "key" together');
  });

/** The setting `storage.redis`. */
export const redisSchema = z
  .union([z.null(), custom(redisUrlFault), servers], {
    error: 'must be null, a redis:// or rediss:// URL, or an object with "url", "sentinels" or "cluster"',
  })
  .default(null)
  .describe(
    'Redis, which spares the database reads and tells nodes of changes: redis://USER:PASSWORD@HOST:PORT, rediss:// with TLS, or an object for Sentinel and Cluster. Never needed: without it everything is read from the database.',
  );

/** The setting as the stores take it; undefined without Redis. */
export function buildRedis(redis: z.output<typeof redisSchema>): RedisSettings | undefined {
  if (redis === null) return undefined;
  if (typeof redis === 'string') return { kind: 'single', url: new Secret(redis) };
  const { url, sentinels, cluster, username, name = '', database = 0 } = redis;
  const user = { username, password: secretOf(redis.password) };
  const secure = buildTls(redis.tls);
  if (url !== undefined) return { kind: 'single', url: new Secret(url), tls: secure };
  if (sentinels === undefined)
    return { kind: 'cluster', nodes: (cluster ?? []).map(endpointOf), ...user, tls: secure };
  return {
    kind: 'sentinel',
    sentinels: sentinels.map(endpointOf),
    name,
    database,
    ...user,
    sentinelUser: { username: redis.sentinelUsername, password: secretOf(redis.sentinelPassword) },
    tls: secure,
  };
}

type TlsSetting = Exclude<z.output<typeof servers>['tls'], undefined>;

function buildTls(setting: TlsSetting | undefined): RedisTls | undefined {
  if (setting === undefined || setting === false) return undefined;
  if (setting === true) return {};
  const { ca, cert, key, serverName } = setting;
  return { ca, cert, key: secretOf(key), serverName };
}

function secretOf(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

function endpointOf(text: string): RedisEndpoint {
  const address = parseListen(text);
  if (typeof address === 'string') throw new TypeError(`an address that passed the schema ${address}`);
  return address;
}
