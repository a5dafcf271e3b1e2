import type { Clock } from '../../base/clock.ts';
import { deadline } from '../../base/clock.ts';
import { type RedisLink, redisScript } from './link.ts';
import { openRedisLink, refusalWord } from './open-link.ts';
import { CHANNEL } from './redis-changes.ts';
import type { RedisSettings } from './settings.ts';

/** A key of nobody else, among those that a user of ours must be allowed. */
const KEY = 'open-bridge:doctor';
const KEY_LIFE_MS = 5000;
/** No bridge takes this for word of a change. */
const NO_CHANGE = '';
const PINGS = 5;
const POLL_MS = 20;

const SCRIPT = redisScript("return redis.call('EXISTS', KEYS[1])");

/** What a Redis says of itself, as far as its user may ask. */
export interface RedisAbout {
  readonly version: string | undefined;
  /** `master` or `slave`, in its own words. */
  readonly role: string | undefined;
  readonly isClusterNode: boolean;
  /** What is done with keys when `maxmemory` is reached. */
  readonly evictionPolicy: string | undefined;
  /** Bytes; 0 for no limit. */
  readonly maxMemory: number | undefined;
}

/** What was found at a Redis. Texts hold no password. */
export interface RedisLook {
  /** `host:port` of where it was looked for. */
  readonly name: string;
  /** Why nothing could be asked; the rest is empty then. */
  readonly failure: string | undefined;
  /** Median time of an answer, in milliseconds. */
  readonly pingMs: number;
  /** Undefined when the user may not ask. */
  readonly about: RedisAbout | undefined;
  /** `cluster_state` of a cluster: `ok`, or not. */
  readonly clusterState: string | undefined;
  /** Commands of daily work that were refused, with the words of Redis. */
  readonly refusals: readonly { readonly command: string; readonly reason: string }[];
}

/** What looking takes. */
export interface RedisLookOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Longest wait for the connection, and for all answers together, in milliseconds. */
  readonly timeoutMs: number;
}

/** Connects, asks and tries what a bridge does, and leaves nothing behind. Throws nothing. */
export async function lookAtRedis(settings: RedisSettings, options: RedisLookOptions): Promise<RedisLook> {
  const link = openRedisLink(settings, options);
  let interruption: string | undefined;
  link.onInterruption(reason => {
    interruption = reason;
  });
  const nothing = { name: link.name, pingMs: 0, about: undefined, clusterState: undefined, refusals: [] };
  try {
    // One server that refused once will do so again; of several, others may answer.
    const isRefused = (): boolean => settings.kind === 'single' && interruption !== undefined;
    if (!(await within(options, () => answersWithin(link, options, isRefused)))) {
      const reason = interruption ?? link.connectFailure();
      return { ...nothing, failure: reason ?? `no connection within ${options.timeoutMs / 1000} s` };
    }
    return await within(options, () => ask(link, settings));
  } catch (error) {
    return { ...nothing, failure: wordsOf(error) };
  } finally {
    await link.close().catch(() => {});
  }
}

/** Waits for the first answer. A cluster says that it is connected before its nodes are. */
async function answersWithin(
  link: RedisLink,
  { clock, timeoutMs }: RedisLookOptions,
  isRefused: () => boolean,
): Promise<boolean> {
  const givesUpAt = clock.now() + timeoutMs;
  for (;;) {
    const isUp = link.isReady() && (await link.send(KEY, ['PING']).then(() => true, isVerdict));
    if (isUp) return true;
    if (clock.now() >= givesUpAt || isRefused()) return false;
    await clock.sleep(POLL_MS);
  }
}

/** Whether an error is the word of Redis itself, which another try does not change. */
function isVerdict(error: unknown): boolean {
  return refusalWord(error) !== undefined;
}

async function within<T>({ clock, timeoutMs }: RedisLookOptions, work: () => Promise<T>): Promise<T> {
  const limit = deadline(clock, timeoutMs, () => new Error(`no answer within ${timeoutMs / 1000} s`));
  const over = new Promise<never>((_, reject) =>
    limit.signal.addEventListener('abort', () => reject(limit.signal.reason)),
  );
  try {
    return await Promise.race([work(), over]);
  } finally {
    limit.clear();
  }
}

async function ask(link: RedisLink, { kind }: RedisSettings): Promise<RedisLook> {
  const times: number[] = [];
  for (let turn = 0; turn < PINGS; turn += 1) {
    const askedAt = performance.now();
    const answer = await link.send(KEY, ['PING']);
    if (answer !== 'PONG') throw new Error('what answers there does not speak as Redis does');
    times.push(performance.now() - askedAt);
  }
  const info = await link.send(KEY, ['INFO']).then(fieldsOf, () => undefined);
  const cluster =
    kind === 'cluster'
      ? await link.send(KEY, ['CLUSTER', 'INFO']).then(fieldsOf, () => undefined)
      : undefined;
  return {
    name: link.name,
    failure: undefined,
    pingMs: times.toSorted((a, b) => a - b)[Math.floor(PINGS / 2)] ?? 0,
    about: info && aboutOf(info),
    clusterState: cluster?.get('cluster_state'),
    refusals: await tryOut(link),
  };
}

/** Does what a bridge does, each on its own, so that every refusal is told. */
async function tryOut(link: RedisLink): Promise<RedisLook['refusals']> {
  const refusals: { command: string; reason: string }[] = [];
  const mustBeSet = (value: unknown): void => {
    const isSet = !refusals.some(({ command }) => command === 'SET');
    if (isSet && value !== '1') throw new Error('what was set a moment ago is not there');
  };
  const attempts: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['SET', () => link.send(KEY, ['SET', KEY, '1', 'PX', String(KEY_LIFE_MS)])],
    ['GET', () => link.send(KEY, ['GET', KEY]).then(mustBeSet)],
    ['EVALSHA', () => link.run(SCRIPT, [KEY], [])],
    ['DEL', () => link.send(KEY, ['DEL', KEY])],
    ['PUBLISH', () => link.publish(CHANNEL, NO_CHANGE)],
  ];
  for (const [command, attempt] of attempts) {
    try {
      await attempt();
    } catch (error) {
      refusals.push({ command, reason: wordsOf(error) });
    }
  }
  return refusals;
}

function aboutOf(info: ReadonlyMap<string, string>): RedisAbout {
  const maxMemory = Number(info.get('maxmemory'));
  return {
    version: info.get('redis_version'),
    role: info.get('role'),
    isClusterNode: info.get('cluster_enabled') === '1',
    evictionPolicy: info.get('maxmemory_policy'),
    maxMemory: Number.isFinite(maxMemory) ? maxMemory : undefined,
  };
}

/** Lines of `name:value`. */
function fieldsOf(answer: unknown): ReadonlyMap<string, string> {
  const lines = String(answer)
    .split(/\r?\n/)
    .map(line => /^(\w+):(.*)$/.exec(line));
  return new Map(lines.flatMap(match => (match ? [[match[1] ?? '', match[2] ?? ''] as const] : [])));
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'an unknown error';
}
