import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { openMysqlStore } from '../../src/stores/mysql.ts';
import { openPostgresStore } from '../../src/stores/postgres.ts';
import { describeOn, mysqlServer, postgresServer, type TestServer } from '../support/database-servers.ts';
import { seededRandom } from '../support/temporary.ts';
import { type Backend, storeContract } from './store-contract.ts';

/** The store contract on a database server. Pauses are real, the time that decides is the test's. */
async function contractOn(server: TestServer): Promise<void> {
  await describeOn(server, 'a database server', () => {
    storeContract(server.name, async (): Promise<Backend> => {
      const { database, drop } = await server.create();
      const open = database.kind === 'postgres' ? openPostgresStore : openMysqlStore;
      return {
        open: clock =>
          open({
            url: database.url,
            clock: systemClock,
            random: seededRandom(),
            log: silentLog,
            migrate: true,
            time: () => clock.now(),
          }),
        destroy: drop,
      };
    });
  });
}

await contractOn(postgresServer);
await contractOn(mysqlServer);
