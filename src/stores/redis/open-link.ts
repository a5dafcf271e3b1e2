import { createClient, createCluster, createSentinel, ErrorReply } from '@redis/client';
import type { Clock } from '../../base/clock.ts';
import type { RedisLink, RedisScript } from './link.ts';
import type { RedisSettings, RedisTls, RedisUser } from './settings.ts';

const CONNECT_MS = 1000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** A connection is asked something so often, and given up when nothing came for so long. */
const PING_MS = 1000;
const SILENT_MS = 3000;
/** How often the sentinels are asked who is the primary. */
const SENTINEL_SCAN_MS = 1000;

/** What connecting takes. */
export interface LinkOptions {
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** The part of a driver's client that differs with what Redis is made of. */
interface Driver {
  connect(): Promise<unknown>;
  isReady(): boolean;
  send(key: string | undefined, command: readonly string[]): Promise<unknown>;
  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown>;
  destroy(): unknown;
}

type Events = {
  readonly interrupted: (reason: string) => void;
  /** Messages of a subscription may have been lost. */
  readonly gap: () => void;
};

/**
 * Begins to connect, and goes on trying for as long as it is not closed; being without Redis is no error
 * here. Throws a TypeError when the driver cannot take the settings.
 */
export function openRedisLink(settings: RedisSettings, options: LinkOptions): RedisLink {
  const { clock } = options;
  const closing = new AbortController();
  const interruptions: ((reason: string) => void)[] = [];
  const gaps: (() => void)[] = [];
  const driver = driverOf(settings, options, {
    interrupted: reason => {
      for (const listener of interruptions) listener(reason);
    },
    gap: () => {
      for (const listener of gaps) listener();
    },
  });

  /** Tries something until it succeeds or the link is closed. */
  async function persist(work: () => Promise<unknown>): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!closing.signal.aborted) {
      try {
        await work();
        return;
      } catch {
        // What is wrong shows when commands fail; here it is only tried again.
        await clock.sleep(jittered(pause, options.random), closing.signal).catch(() => {});
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  let connectFailure: string | undefined;
  const connected = persist(() =>
    driver.connect().catch((error: unknown) => {
      connectFailure = wordsOf(error);
      throw error;
    }),
  );

  return {
    name: nameOf(settings),
    isReady: () => driver.isReady(),
    connectFailure: () => connectFailure,
    send: (key, command) => driver.send(key, command),
    async run(script: RedisScript, keys, values) {
      const rest = [String(keys.length), ...keys, ...values];
      try {
        return await driver.send(keys[0], ['EVALSHA', script.sha1, ...rest]);
      } catch (error) {
        if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
        return driver.send(keys[0], ['EVAL', script.text, ...rest]);
      }
    },
    async publish(channel, message) {
      await driver.send(undefined, ['PUBLISH', channel, message]);
    },
    subscribe(channel, onMessage, onGap) {
      gaps.push(onGap);
      void connected.then(() => persist(() => driver.subscribe(channel, onMessage)));
    },
    onInterruption: listener => void interruptions.push(listener),
    async close() {
      closing.abort();
      interruptions.length = 0;
      gaps.length = 0;
      // What is under way is a copy of what the database has: there is nothing to wait for.
      await driver.destroy();
    },
  };
}

/** Where Redis is looked for, without user and password. */
function nameOf(settings: RedisSettings): string {
  if (settings.kind === 'single') return new URL(settings.url.reveal()).host;
  const endpoints = settings.kind === 'sentinel' ? settings.sentinels : settings.nodes;
  return endpoints.map(({ host, port }) => `${host}:${port}`).join(', ');
}

function jittered(ms: number, random: () => number): number {
  return ms * (0.5 + random());
}

function driverOf(settings: RedisSettings, options: LinkOptions, events: Events): Driver {
  const common = commonOptions(options);
  switch (settings.kind) {
    case 'single':
      return single(settings, common, events);
    case 'sentinel':
      return sentinel(settings, common, events);
    case 'cluster':
      return cluster(settings, common, events);
  }
}

function commonOptions({ random }: LinkOptions) {
  return {
    // The older protocol is understood by every version and every proxy, and is all that is needed.
    RESP: 2,
    pingInterval: PING_MS,
    maintNotifications: 'disabled',
    disableClientInfo: true,
    socket: {
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      reconnectStrategy: (retries: number) =>
        jittered(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(retries, 10), LONGEST_PAUSE_MS), random),
    },
  } as const;
}

type CommonOptions = ReturnType<typeof commonOptions>;

function single(
  { url, tls }: Extract<RedisSettings, { kind: 'single' }>,
  common: CommonOptions,
  events: Events,
): Driver {
  const secure = new URL(url.reveal()).protocol === 'rediss:';
  const options = {
    ...common,
    url: url.reveal(),
    socket: { ...common.socket, ...(secure && tlsOptions(tls ?? {})) },
  };
  const commands = createClient({ ...options, disableOfflineQueue: true });
  const messages = createClient(options);
  commands.on('error', error => events.interrupted(wordsOf(error)));
  messages.on('error', () => events.gap());
  messages.on('ready', () => events.gap());
  return {
    async connect() {
      // Both go on by themselves: `connect` ends only with a connection, or when they are destroyed.
      commands.connect().catch(() => {});
      await messages.connect();
    },
    isReady: () => commands.isReady,
    send: (_key, command) => commands.sendCommand(command),
    subscribe: (channel, onMessage) => messages.subscribe(channel, onMessage),
    destroy() {
      for (const client of [commands, messages]) if (client.isOpen) client.destroy();
    },
  };
}

function sentinel(
  settings: Extract<RedisSettings, { kind: 'sentinel' }>,
  common: CommonOptions,
  events: Events,
): Driver {
  const { sentinels, name, database, sentinelUser, tls } = settings;
  const socket = { ...common.socket, ...(tls && tlsOptions(tls)) };
  const client = createSentinel({
    name,
    sentinelRootNodes: sentinels.map(({ host, port }) => ({ host, port })),
    scanInterval: SENTINEL_SCAN_MS,
    passthroughClientErrorEvents: true,
    RESP: 2,
    nodeClientOptions: { ...common, ...userOptions(settings), database, socket },
    sentinelClientOptions: { ...common, ...userOptions(sentinelUser), socket },
  });
  const interrupted = (reason: string): void => {
    events.interrupted(reason);
    events.gap();
  };
  client.on('error', error => interrupted(wordsOf(error)));
  client.on('client-error', ({ error }: { readonly error?: unknown }) => interrupted(wordsOf(error)));
  client.on('topology-change', ({ type }: { readonly type: string }) => {
    if (type === 'MASTER_CHANGE') interrupted('another server is the primary now');
  });
  return {
    connect: () => client.connect(),
    isReady: () => client.isReady,
    send: (_key, command) => client.sendCommand(false, [...command]),
    subscribe: (channel, onMessage) => client.subscribe(channel, onMessage),
    destroy: () => client.destroy(),
  };
}

function cluster(
  settings: Extract<RedisSettings, { kind: 'cluster' }>,
  common: CommonOptions,
  events: Events,
): Driver {
  const { nodes, tls } = settings;
  const defaults = {
    ...common,
    ...userOptions(settings),
    disableOfflineQueue: true,
    socket: { ...common.socket, ...(tls && tlsOptions(tls)) },
  };
  const client = createCluster({
    RESP: 2,
    rootNodes: nodes.map(({ host, port }) => ({ socket: { ...defaults.socket, host, port } })),
    defaults,
  });
  const interrupted = (error: unknown): void => {
    events.interrupted(wordsOf(error));
    events.gap();
  };
  client.on('error', interrupted);
  client.on('node-error', interrupted);
  client.on('node-reconnecting', () => interrupted(new Error('the connection to a node was lost')));
  return {
    connect: () => client.connect(),
    isReady: () => client.isOpen,
    send: (key, command) => client.sendCommand(key, false, [...command]),
    subscribe: (channel, onMessage) => client.subscribe(channel, onMessage),
    destroy() {
      if (client.isOpen) client.destroy();
    },
  };
}

function userOptions({ username, password }: RedisUser): { username?: string; password?: string } {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: password.reveal() }),
  };
}

function tlsOptions({ ca, cert, key, serverName }: RedisTls) {
  return {
    tls: true as const,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: key.reveal() }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

/** The driver's errors hold addresses and the server's words, never a password. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(wordsOf).join('; ');
  return error instanceof Error ? error.message : 'an unknown error';
}

/** Whether Redis itself refused a command, and with which of its words: `OOM`, `READONLY`, `LOADING`. */
export function refusalWord(error: unknown): string | undefined {
  return error instanceof ErrorReply ? error.message.split(' ', 1)[0] : undefined;
}
