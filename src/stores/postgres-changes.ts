import { Client } from 'pg';
import { type Clock, deadline } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import { changeMessages, createListeners, REVALIDATE_MS, readChange } from './changes.ts';
import { serverOf } from './database.ts';
import type { ChangeFeed } from './store.ts';

/** A channel is a name within one database; schemas do not part it, and word of a foreign row does no harm. */
const CHANNEL = 'open_bridge_changes';

const CONNECT_MS = 3000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** How often the connection is looked at: one that is cut off says nothing of itself. */
const CHECK_MS = 10_000;
const ANSWER_MS = 3000;

/** The connection that listens, and tells. */
interface Connection {
  readonly client: Client;
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
}

/** What listening takes. */
export interface PostgresChangesOptions {
  readonly url: Secret;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly log: Log;
  /** Names this process among those that share the database; it has no space. */
  readonly sender: string;
}

/**
 * A change feed over LISTEN and NOTIFY (PostgreSQL documentation, "NOTIFY"), on a connection of its own that
 * is made again whenever it breaks. A pooler that hands connections out by transaction delivers nothing;
 * changes are then noticed after `REVALIDATE_MS`.
 */
export function openPostgresChanges(options: PostgresChangesOptions): ChangeFeed {
  const { clock, random, log, sender } = options;
  const { url } = serverOf('postgres', options.url);
  const { subscribe, tell } = createListeners();
  const closing = new AbortController();
  let connected: Connection | undefined;

  async function listenOnce(first: boolean): Promise<void> {
    const client = new Client({
      connectionString: url.href,
      connectionTimeoutMillis: CONNECT_MS,
      application_name: 'open-bridge changes',
      keepAlive: true,
    });
    const lost = new AbortController();
    const onClosing = (): void => lost.abort(closing.signal.reason);
    closing.signal.addEventListener('abort', onClosing);
    client.on('error', error => lost.abort(error));
    client.on('end', () => lost.abort(new Error('the connection was closed')));
    client.on('notification', ({ payload = '' }) => {
      const change = readChange(sender, payload);
      if (change !== undefined) tell(change.id);
    });
    try {
      await client.connect();
      const connection = { client, query: oneByOne(client) };
      await connection.query(`listen ${CHANNEL}`);
      connected = connection;
      if (!first) {
        log.info({}, 'changes of credentials by other processes are heard of again');
        tell(undefined);
      }
      for (;;) {
        await clock.sleep(CHECK_MS, lost.signal);
        // The driver refuses what is unanswered when the connection ends.
        await Promise.race([connection.query('select 1'), timeUp(lost.signal)]);
      }
    } finally {
      connected = undefined;
      closing.signal.removeEventListener('abort', onClosing);
      // Waiting for a server that is gone would hold up the next try.
      client.end().catch(() => {});
    }
  }

  async function timeUp(signal: AbortSignal): Promise<never> {
    await clock.sleep(ANSWER_MS, signal);
    throw new Error(`no answer within ${ANSWER_MS} ms`);
  }

  async function run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    for (let tried = 0; !closing.signal.aborted; tried += 1) {
      const begun = clock.now();
      try {
        await listenOnce(tried === 0);
      } catch (error) {
        if (closing.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn(
          { reason },
          `the database does not tell of changes by other processes; they are noticed within ${REVALIDATE_MS} ms`,
        );
        if (clock.now() - begun > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
        await clock.sleep(pause * (0.5 + random()), closing.signal).catch(() => {});
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  const running = run();
  return {
    boundMs: REVALIDATE_MS,
    subscribe,
    publish(ids) {
      for (const message of changeMessages(sender, ids))
        connected
          ?.query('select pg_notify($1, $2)', [CHANNEL, message])
          .catch(error => log.debug({ reason: String(error) }, 'a change could not be told'));
    },
    async close() {
      const client = connected?.client;
      closing.abort();
      await running;
      const limit = deadline(clock, ANSWER_MS, () => undefined);
      const over = new Promise<void>(resolve => limit.signal.addEventListener('abort', () => resolve()));
      await Promise.race([client?.end().catch(() => {}), over]);
      limit.clear();
    },
  };
}

/** The driver wants one query at a time. */
function oneByOne(client: Client): Connection['query'] {
  let last: Promise<unknown> = Promise.resolve();
  return (text, values = []) => {
    const result = last.then(() => client.query(text, [...values]));
    last = result.catch(() => {});
    return result;
  };
}
