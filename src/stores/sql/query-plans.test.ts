import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { BARE_CREDENTIAL } from '../../../test/support/bare-rows.ts';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { seededRandom, temporaryFolder } from '../../../test/support/temporary.ts';
import { silentLog } from '../../base/log.ts';
import type { Tables } from '../schema.ts';
import { createSqlStore } from '../sql-store.ts';
import { openSqliteStore } from '../sqlite.ts';
import type { Store } from '../store.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

/** A store on a migrated SQLite file that tells how SQLite goes about each of its statements. */
async function explained() {
  const path = join(temporaryFolder(), 'bridge.db');
  const clock = manualClock();
  await (await openSqliteStore({ path, clock, random: seededRandom() })).close();
  const raw = new DatabaseSync(path);
  onTestFinished(() => raw.close());
  let statements: string[] = [];
  const database = {
    close() {},
    prepare(text: string) {
      statements.push(text);
      const statement = raw.prepare(text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters: readonly unknown[]) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters: readonly unknown[]) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters: readonly unknown[]) => statement.iterate(...(parameters as SQLInputValue[])),
      };
    },
  };
  const store = createSqlStore({
    db: new Kysely<Tables>({ dialect: new SqliteDialect({ database }) }),
    dialect: sqliteDialect,
    log: silentLog,
    now: () => sqliteDialect.timeOf(clock.now()),
    run: statement => statement(),
    read: statement => statement(),
    async batch({ sql }) {
      statements.push(sql);
      return 0;
    },
  });
  const plan = (text: string): unknown[] => {
    const parameters = Array(text.split('?').length - 1).fill(0);
    const steps = raw.prepare(`explain query plan ${text}`).all(...parameters);
    return steps.map(step => step['detail']);
  };
  return async (work: (store: Store) => Promise<unknown>): Promise<unknown[]> => {
    statements = [];
    await work(store);
    return statements.flatMap(plan);
  };
}

const TABLE = 'opendb-open-data';
const BY_ID = `SEARCH ${TABLE} USING INDEX sqlite_autoindex_${TABLE}_1 (_id=?)`;

const row = BARE_CREDENTIAL;

const PLANS: [string, (store: Store) => Promise<unknown>, readonly string[]][] = [
  ['get', ({ credentials }) => credentials.get('a'), [BY_ID]],
  ['commit', ({ credentials }) => credentials.commit(row, 0), []],
  ['commit over a row', ({ credentials }) => credentials.commit(row, 1), [BY_ID]],
  [
    'reschedule',
    ({ credentials }) => credentials.reschedule('a', 1, { renewAt: 1, background: true }),
    [BY_ID],
  ],
  ['remove', ({ credentials }) => credentials.remove('a'), [BY_ID]],
  ['merge', ({ credentials }) => credentials.merge([row]), []],
  ['merge by force', ({ credentials }) => credentials.merge([row], { force: true }), []],
  [
    'scan',
    ({ credentials }) => credentials.scan(5),
    [`SCAN ${TABLE} USING INDEX sqlite_autoindex_${TABLE}_1`],
  ],
  [
    'the next page of a scan',
    ({ credentials }) => credentials.scan(5, 'a'),
    [`SEARCH ${TABLE} USING INDEX sqlite_autoindex_${TABLE}_1 (_id>?)`],
  ],
  [
    'due',
    ({ credentials }) => credentials.due(5, 5),
    [`SEARCH ${TABLE} USING INDEX open_bridge_due (renew_at<?)`],
  ],
  [
    'the next page of what is due',
    ({ credentials }) => credentials.due(5, 5, { renewAt: 1, id: 'a' }),
    [`SEARCH ${TABLE} USING INDEX open_bridge_due (renew_at>? AND renew_at<?)`],
  ],
  [
    'findByFingerprint',
    ({ credentials }) => credentials.findByFingerprint('a'),
    [
      'MULTI-INDEX OR',
      'INDEX 1',
      `SEARCH ${TABLE} USING INDEX open_bridge_fingerprint (fingerprint=?)`,
      'INDEX 2',
      `SEARCH ${TABLE} USING INDEX open_bridge_previous_fingerprint (previous_fingerprint=?)`,
    ],
  ],
  [
    'pruneExpired',
    ({ credentials }) => credentials.pruneExpired(5, 5),
    [BY_ID, 'LIST SUBQUERY 1', `SEARCH ${TABLE} USING INDEX open_bridge_end (expired>? AND expired<?)`],
  ],
  [
    'what is remembered for a while',
    ({ ephemeral }) => ephemeral.get('a'),
    ['SEARCH open_bridge_ephemeral USING INDEX sqlite_autoindex_open_bridge_ephemeral_1 (name=?)'],
  ],
  [
    'remembering',
    ({ ephemeral }) => ephemeral.putIfAbsent('a', 'b', 5),
    ['SEARCH open_bridge_ephemeral USING INDEX sqlite_autoindex_open_bridge_ephemeral_1 (name=?)'],
  ],
  [
    'a call',
    ({ calls }) => calls.get('69a3b9c0-0000000000000001'),
    [
      'SEARCH open_bridge_call_batches USING COVERING INDEX open_bridge_call_batches_range (last_seqid>? AND last_seqid<?)',
    ],
  ],
  [
    'a page of calls',
    ({ calls }) => calls.list({ limit: 5 }),
    ['SCAN open_bridge_call_batches USING COVERING INDEX open_bridge_call_batches_range'],
  ],
  [
    'the next page of calls',
    ({ calls }) => calls.list({ limit: 5, cursor: '69a3b9c0-0000000000000001' }),
    ['SEARCH open_bridge_call_batches USING COVERING INDEX open_bridge_call_batches_range (last_seqid<?)'],
  ],
  [
    'forgetting',
    ({ ephemeral }) => ephemeral.prune(5),
    [
      'SEARCH open_bridge_ephemeral USING INDEX sqlite_autoindex_open_bridge_ephemeral_1 (name=?)',
      'LIST SUBQUERY 1',
      'SEARCH open_bridge_ephemeral USING INDEX open_bridge_ephemeral_end (expires_at<?)',
    ],
  ],
];

test.each(PLANS)('%s looks at the rows it is about, and no others', async (_, work, plan) => {
  const explain = await explained();
  expect(await explain(work)).toEqual(plan);
});
