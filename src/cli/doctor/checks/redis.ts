import type { RedisAbout, RedisLook } from '../../../stores/redis/look.ts';
import type { RedisFormat, RedisSettings } from '../../../stores/redis/settings.ts';
import { type Check, type Finding, fail, ok, warn } from '../check.ts';

/** A person waits, and a Redis that takes longer is of no use. */
const PATIENCE_MS = 4000;
/** A bridge gives up a command after 50 ms, so an idle Redis should answer well before. */
const SLOW_MS = 15;

const MEANWHILE = 'Until then everything is read from the database: slower, and nothing else.';

/** Redis, where one is configured: whether it can be used, and what it does when it is full. */
export const redis: Check = {
  name: 'redis',
  needs: 'settings',
  async run({ settings, world }) {
    const { redis, redisFormat } = settings().storage;
    if (redis === undefined) return [];
    const look = await world.wire.redis(redis, Math.min(PATIENCE_MS, world.timeoutMs));
    if (look.failure !== undefined) return [unusable(look.name, look.failure)];
    const faults = [...misplaced(look, redis), ...refused(look)];
    if (faults.length > 0) return faults;
    return [...slow(look), ...eviction(look, redisFormat), inOrder(look, redis, redisFormat)];
  },
};

function unusable(name: string, reason: string): Finding {
  return fail('redis', `${name}: ${reason}`, `${adviceOn(reason)}\n${MEANWHILE}`);
}

function adviceOn(reason: string): string {
  if (/^(?:WRONGPASS|NOAUTH|ERR .*AUTH)/.test(reason)) return 'check user and password in storage.redis';
  if (/^LOADING/.test(reason)) return 'it is reading its data after a start; wait for it';
  if (/certificate|SSL|TLS|altname/i.test(reason))
    return 'check "tls" of storage.redis: "ca" is what to trust, "serverName" the name in the certificate';
  if (/RESP|speak as Redis/.test(reason))
    return 'what answers there is no Redis: check host and port in storage.redis';
  if (/closed|ECONNRESET/i.test(reason))
    return 'check host and port in storage.redis, and whether the server wants TLS (rediss://)';
  return 'check that it runs, that storage.redis names its address and that no firewall is between';
}

/** Servers of which a bridge makes no use, or half. */
function misplaced({ name, about, clusterState }: RedisLook, { kind }: RedisSettings): readonly Finding[] {
  if (about?.isClusterNode && kind !== 'cluster')
    return [
      fail(
        'redis',
        `${name} is a node of a cluster, and only some keys are on it`,
        `set storage.redis to { "cluster": ["${name}"] }\n${MEANWHILE}`,
      ),
    ];
  if (about?.role === 'slave' && kind !== 'cluster')
    return [
      fail(
        'redis',
        `${name} is a replica, which takes no writes`,
        `let storage.redis name the primary, or the Sentinels that know it\n${MEANWHILE}`,
      ),
    ];
  if (clusterState !== undefined && clusterState !== 'ok')
    return [
      fail(
        'redis',
        `the cluster at ${name} says that its state is "${clusterState}"`,
        `see "cluster info" and "cluster nodes" there: slots are without a primary\n${MEANWHILE}`,
      ),
    ];
  return [];
}

function refused({ name, refusals }: RedisLook): readonly Finding[] {
  const [first] = refusals;
  if (first === undefined) return [];
  const found = `${name} refuses ${refusals.map(({ command }) => command).join(', ')}: ${first.reason}`;
  if (refusals.every(({ reason }) => reason.startsWith('OOM')))
    return [
      warn('redis', found, 'it is full, so no copy goes in: raise maxmemory, or choose a policy that evicts'),
    ];
  const advice = refusals.some(({ reason }) => reason.startsWith('NOPERM'))
    ? 'let its user do what docs/storage.md lists: ~uni-id:* ~open-bridge:* &open-bridge:changes +@read +@write +@scripting +@pubsub +ping +select'
    : 'see its log';
  return [fail('redis', found, `${advice}\n${MEANWHILE}`)];
}

function slow({ name, pingMs }: RedisLook): readonly Finding[] {
  if (pingMs < SLOW_MS) return [];
  return [
    warn(
      'redis',
      `${name} takes ${Math.round(pingMs)} ms to answer; a bridge gives up after 50 ms, and the database may be quicker`,
      'put it nearer, or do without: "redis": null',
    ),
  ];
}

/** In the plain form a value of ours that lost its hash looks like one of uniCloud's. */
function eviction({ about }: RedisLook, format: RedisFormat): readonly Finding[] {
  const policy = about?.evictionPolicy;
  if (format === 'sealed' || policy === undefined || policy === 'noeviction' || policy === 'volatile-ttl')
    return [];
  return [
    warn(
      'redis',
      `its maxmemory-policy ${policy} may take our hashes and leave the plain values beside them`,
      'set maxmemory-policy to noeviction or volatile-ttl: docs/storage.md tells why',
    ),
  ];
}

function inOrder(look: RedisLook, settings: RedisSettings, format: RedisFormat): Finding {
  const { name, about, pingMs, clusterState } = look;
  const what = [
    about?.version === undefined ? 'version not told' : `Redis ${about.version}`,
    clusterState === undefined ? (about?.role === 'master' ? 'primary' : undefined) : 'cluster',
    isEncrypted(settings) ? 'TLS' : 'not encrypted',
    `copies ${format}`,
  ];
  return ok(
    'redis',
    `${name} (${what.filter(word => word !== undefined).join(', ')}) answers in ${pingMs.toFixed(1)} ms, reads and writes; ${whenFull(about)}`,
  );
}

function whenFull(about: RedisAbout | undefined): string {
  if (about?.evictionPolicy === undefined) return 'its user may not ask it for more (INFO), and need not';
  const { evictionPolicy, maxMemory } = about;
  const limit = maxMemory === 0 ? 'no maxmemory, ' : '';
  return evictionPolicy === 'noeviction'
    ? `${limit}noeviction: when it is full, new copies are refused and the database is read`
    : `${limit}${evictionPolicy}: copies may be evicted, and the database is read then`;
}

function isEncrypted(settings: RedisSettings): boolean {
  return settings.kind === 'single'
    ? new URL(settings.url.reveal()).protocol === 'rediss:'
    : settings.tls !== undefined;
}
