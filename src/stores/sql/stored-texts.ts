import { type RawBuilder, sql } from 'kysely';
import { CREDENTIAL_TABLE, type Tables } from '../schema.ts';
import type { StoredText, StoredTextTable, TextChange, TextPlace } from '../store.ts';
import type { ColumnValue, SqlBackend } from './backend.ts';

/** Where a place is in the database. */
interface Place {
  readonly table: keyof Tables;
  readonly key: string;
  readonly hasPrevious: boolean;
  /** Whether rows end, and are as good as gone then. */
  readonly ends: boolean;
}

const PLACES: Readonly<Record<TextPlace, Place>> = {
  credentials: { table: CREDENTIAL_TABLE, key: '_id', hasPrevious: true, ends: false },
  settings: { table: 'open_bridge_settings', key: 'name', hasPrevious: false, ends: false },
  ephemeral: { table: 'open_bridge_ephemeral', key: 'name', hasPrevious: false, ends: true },
};

interface Scanned {
  readonly id: string;
  readonly value: string;
  readonly previous: string | null;
}

/** Stands for a previous value that is not there, as null equals nothing in SQL. No value is empty. */
const NONE = '';

/** Values of all places as they are stored. */
export function storedTextTable({ db, read, batch, now }: SqlBackend): StoredTextTable {
  return {
    async scan(place, limit, afterId) {
      const { table, key, hasPrevious, ends } = PLACES[place];
      const previous = hasPrevious ? sql.ref('previous_value') : sql`null`;
      const conditions = [
        ...(afterId === undefined ? [] : [sql`${sql.ref(key)} > ${afterId}`]),
        ...(ends ? [sql`${sql.ref('expires_at')} > ${now()}`] : []),
      ];
      const where = conditions.length === 0 ? sql`` : sql`where ${sql.join(conditions, sql` and `)}`;
      const { rows } = await read(() =>
        sql<Scanned>`select ${sql.ref(key)} as id, value, ${previous} as previous from ${sql.table(table)} ${where} order by ${sql.ref(key)} limit ${limit}`.execute(
          db,
        ),
      );
      return rows.map(row => ({ id: row.id, value: row.value, previous: row.previous ?? undefined }));
    },
    replace(place, changes) {
      const { table, key, hasPrevious } = PLACES[place];
      const columns = hasPrevious ? sql`, ${sql.ref('previous_value')} = ${null}` : sql``;
      const statement =
        sql`update ${sql.table(table)} set ${sql.ref('value')} = ${NONE}${columns} where ${unchanged(key, hasPrevious)}`.compile(
          db,
        );
      return batch(
        statement,
        changes.map(({ from, to }: TextChange) => [
          to.value,
          ...(hasPrevious ? [to.previous ?? null] : []),
          ...asRead(from, hasPrevious),
        ]),
      );
    },
    remove(place, rows) {
      const { table, key, hasPrevious } = PLACES[place];
      const statement = sql`delete from ${sql.table(table)} where ${unchanged(key, hasPrevious)}`.compile(db);
      return batch(
        statement,
        rows.map(row => asRead(row, hasPrevious)),
      );
    },
  };
}

/** The condition whose parameters `asRead` gives. */
function unchanged(key: string, hasPrevious: boolean): RawBuilder<unknown> {
  const same = sql`${sql.ref(key)} = ${NONE} and ${sql.ref('value')} = ${NONE}`;
  return hasPrevious
    ? sql`${same} and coalesce(${sql.ref('previous_value')}, ${sql.lit(NONE)}) = ${NONE}`
    : same;
}

function asRead({ id, value, previous }: StoredText, hasPrevious: boolean): ColumnValue[] {
  return hasPrevious ? [id, value, previous ?? NONE] : [id, value];
}
