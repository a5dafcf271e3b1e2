import { openWire } from '../support/wire.ts';
import { committedRow, type FaultyDatabase, LEASES_QUERY, TOKENS_QUERY } from './database.ts';
import type { Injections, World } from './injection.ts';
import { startPostgresServer } from './postgres-server.ts';

/** A PostgreSQL server that the nodes reach over a wire: either can be broken. */
export async function openPostgresDatabase(folder: string): Promise<FaultyDatabase> {
  const server = await startPostgresServer(folder);
  const { query } = server;
  const wire = await openWire({ host: '127.0.0.1', port: server.port });

  async function restart(
    { journal }: World,
    { what, signal, pauseMs }: { what: string; signal: 'SIGINT' | 'SIGQUIT'; pauseMs: number },
  ): Promise<void> {
    const end = journal.trouble('store');
    journal.note(what, `away for ${Math.round(pauseMs)} ms and its start`);
    await server.restart(signal, pauseMs);
    journal.note('database back');
    end();
  }

  const injections: Injections = {
    'database restarted fast': (world, dice) =>
      restart(world, {
        ...{ what: 'database restarted fast', signal: 'SIGINT', pauseMs: dice.between(0, 1500) },
      }),
    'database stopped at once': (world, dice) =>
      restart(world, {
        ...{ what: 'database stopped at once', signal: 'SIGQUIT', pauseMs: dice.between(0, 1500) },
      }),
    async 'database connections cut'({ journal, load, clock }, dice) {
      const end = journal.trouble('store');
      journal.note('database connections cut', 'while all callers ask');
      load.rush();
      await clock.sleep(dice.between(0, 60));
      wire.cut();
      end();
    },
    async 'database answers lost'({ journal, clock }, dice) {
      const end = journal.trouble('store');
      const ms = dice.between(200, 2500);
      journal.note('database answers lost', `questions arrive, answers do not, for ${Math.round(ms)} ms`);
      wire.mute();
      await clock.sleep(ms);
      wire.cut();
      await wire.mend();
      end();
    },
    async 'database unreachable'({ journal, clock }, dice) {
      const end = journal.trouble('store');
      const ms = dice.between(200, 3000);
      journal.note('database unreachable', `for ${Math.round(ms)} ms`);
      await wire.refuse();
      await clock.sleep(ms);
      await wire.mend();
      end();
    },
  };

  return {
    url: `postgres://postgres@127.0.0.1:${wire.port}/postgres`,
    injections,
    leases: async () =>
      (await query(LEASES_QUERY)).map(({ name, holder }) => ({ name: String(name), holder: String(holder) })),
    tokens: async () => (await query(TOKENS_QUERY)).map(committedRow),
    async close() {
      await wire.close();
      await server.close();
    },
  };
}
