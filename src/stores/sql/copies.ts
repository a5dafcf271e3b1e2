import { sql, type Transaction } from 'kysely';
import { BridgeError } from '../../base/errors.ts';
import type { Tables } from '../schema.ts';
import type { CopiedRow, CopiedTable, CopyTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';
import { COPIED, type CopiedColumns } from './copied-columns.ts';
import type { SqlDialect } from './dialect.ts';

/** Rows read or written by one statement: few enough for the number of parameters that any database takes. */
const PAGE = 200;

/** As `PAGE`, for one table. */
function pageOf(table: CopiedTable): number {
  return COPIED[table].rowsAtOnce ?? PAGE;
}

/** Rows removed by one statement. */
const REMOVED = 10_000;

/** Whole tables, out and in. */
export function copyTable({ db, dialect, read, run }: SqlBackend): CopyTable {
  return {
    async *read(tables) {
      // Of a transaction that is begun so, all statements see what the first one saw.
      const transaction = await read(() =>
        db.startTransaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(),
      );
      try {
        for (const table of tables) {
          let last: CopiedRow | undefined;
          do {
            const page = await read(() => pageAfter(transaction, table, last));
            if (page.length > 0) yield { table, rows: page };
            last = page.length < pageOf(table) ? undefined : page.at(-1);
          } while (last !== undefined);
        }
      } finally {
        await transaction.rollback().execute();
      }
    },
    write(tables, pages, { replace = false } = {}) {
      // Tried again only as a whole: after a conflict nothing of a transaction is left.
      return run(() =>
        db.transaction().execute(async transaction => {
          for (const table of tables) {
            if (replace) await empty(transaction, table, dialect);
            else await refuseRows(transaction, table);
          }
          for await (const { table, rows } of pages())
            for (let at = 0; at < rows.length; at += pageOf(table))
              await insert(transaction, table, rows.slice(at, at + pageOf(table)));
        }),
      );
    },
  };
}

async function refuseRows(transaction: Transaction<Tables>, table: CopiedTable): Promise<void> {
  if ((await pageAfter(transaction, table, undefined, 1)).length === 0) return;
  throw new BridgeError('REQUEST_MALFORMED', `the table ${table} is not empty; nothing was changed`, {
    hint: 'give an empty database, or replace what this one holds with --force',
  });
}

/** A part at a time, as servers limit the time of a statement. */
async function empty(
  transaction: Transaction<Tables>,
  table: CopiedTable,
  dialect: SqlDialect,
): Promise<void> {
  const all = sql`1 = 1`;
  const [key = ''] = COPIED[table].key;
  const some = dialect.removeSome(transaction, { table, key, where: all, stillSo: all, limit: REMOVED });
  for (;;) {
    const { numAffectedRows = 0n } = await transaction.executeQuery(some);
    if (numAffectedRows === 0n) return;
  }
}

async function pageAfter(
  transaction: Transaction<Tables>,
  table: CopiedTable,
  last: CopiedRow | undefined,
  limit = pageOf(table),
): Promise<readonly CopiedRow[]> {
  const { key, columns }: CopiedColumns = COPIED[table];
  const order = sql.join(key.map(column => sql.ref(column)));
  const after =
    last === undefined
      ? sql``
      : sql` where (${order}) > (${sql.join(key.map(column => last[column] ?? null))})`;
  const names = sql.join(Object.keys(columns).map(column => sql.ref(column)));
  const { rows } = await sql<
    Record<string, unknown>
  >`select ${names} from ${sql.table(table)}${after} order by ${order} limit ${limit}`.execute(transaction);
  return rows.map(row => copied(row, columns));
}

/** Drivers of some databases give a bigint column as a string. */
function copied(row: Readonly<Record<string, unknown>>, columns: CopiedColumns['columns']): CopiedRow {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { type }]) => {
      const value = row[name];
      if (value === null || value === undefined) return [name, null];
      return [name, type === 'number' ? Number(value) : String(value)];
    }),
  );
}

async function insert(
  transaction: Transaction<Tables>,
  table: CopiedTable,
  rows: readonly CopiedRow[],
): Promise<void> {
  const names = Object.keys(COPIED[table].columns);
  const values = rows.map(row => sql`(${sql.join(names.map(name => row[name] ?? null))})`);
  await sql`insert into ${sql.table(table)} (${sql.join(names.map(name => sql.ref(name)))}) values ${sql.join(values)}`.execute(
    transaction,
  );
}
