import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { committedRow, type FaultyDatabase, LEASES_QUERY, TOKENS_QUERY } from './database.ts';

/** A SQLite file in a folder; a backup tool that holds its lock is what can go wrong with it. */
export function openSqliteDatabase(folder: string): FaultyDatabase {
  const path = join(folder, 'open-bridge.db');
  let opened: DatabaseSync | undefined;
  const query = (text: string): Record<string, unknown>[] => {
    if (!existsSync(path)) return [];
    opened ??= new DatabaseSync(path, { readOnly: true });
    return opened.prepare(text).all();
  };
  return {
    url: `sqlite:${path}`,
    injections: {
      async 'database locked'({ journal, clock }, dice) {
        const ms = dice.between(300, 2500);
        const end = journal.trouble('store');
        const locking = new DatabaseSync(path, { timeout: 2000 });
        try {
          if (!lock(locking)) return journal.note('passed over', 'the file is locked already');
          journal.note('database locked', `for ${Math.round(ms)} ms`);
          await clock.sleep(ms);
          locking.exec('rollback');
        } finally {
          locking.close();
          end();
        }
      },
    },
    leases: async () =>
      query(LEASES_QUERY).map(({ name, holder }) => ({ name: String(name), holder: String(holder) })),
    tokens: async () => query(TOKENS_QUERY).map(committedRow),
    async close() {
      opened?.close();
    },
  };
}

/** SQLITE_BUSY: a node that was stopped in the middle of a write holds the lock until it goes on. */
const BUSY = 5;

function lock(database: DatabaseSync): boolean {
  try {
    database.exec('begin immediate');
    return true;
  } catch (error) {
    if ((error as { readonly errcode?: unknown }).errcode === BUSY) return false;
    throw error;
  }
}
