import { Kysely, MysqlDialect, sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { serverOf } from '../../src/stores/database.ts';
import { openMysqlPool } from '../../src/stores/mysql-pool.ts';
import { SERVER_TIMEOUTS } from '../../src/stores/server-timeouts.ts';
import { describeOn, mysqlServer } from '../support/database-servers.ts';

await describeOn(mysqlServer, 'a session', () => {
  test('every connection is strict, knows no summer time and waits for no lock for long', async () => {
    const database = await mysqlServer.create();
    onTestFinished(() => database.drop());
    const db = new Kysely({
      dialect: new MysqlDialect({
        pool: openMysqlPool(
          serverOf('mysql', database.database.url),
          systemClock,
          SERVER_TIMEOUTS,
          'statements',
        ),
      }),
    });
    onTestFinished(() => db.destroy());
    const session = sql`select @@session.time_zone as zone, @@session.sql_mode as mode, @@session.innodb_lock_wait_timeout as patience, connection_id() as id`;
    const sessions = await Promise.all(
      Array.from({ length: 5 }, async () => (await session.execute(db)).rows[0] as Record<string, unknown>),
    );
    expect(new Set(sessions.map(({ id }) => id)).size).toBe(5);
    for (const each of sessions)
      expect(each).toMatchObject({
        zone: '+00:00',
        mode: 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
        patience: 4,
      });
  });
});
