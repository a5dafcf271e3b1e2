import { sql } from 'kysely';
import type { BudgetTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';

const TABLE = 'open_bridge_budgets';

/** `open_bridge_budgets`: uses of the limits that the platform sets. */
export function budgetTable({ db, dialect, run, read, now }: SqlBackend): BudgetTable {
  /** A last use far in the future was noted before the clock was set back: it bars nothing. */
  const tooClose = (spacingMs: number) => {
    const [lastAt, spacing] = [sql.ref('last_at'), Math.floor(spacingMs)];
    return sql<boolean>`(${lastAt} > ${now()} - ${spacing} and ${lastAt} <= ${now()} + ${spacing})`;
  };

  return {
    async take({ subject, window, limit, spacingMs }) {
      const count = async (): Promise<boolean> => {
        const counted = await run(() =>
          db
            .updateTable(TABLE)
            .set(set => ({ used: set('used', '+', 1), last_at: now() }))
            .where('subject', '=', subject)
            .where('period', '=', window)
            .where('used', '<', limit)
            .$if(spacingMs > 0, query => query.where(where => where.not(tooClose(spacingMs))))
            .executeTakeFirst(),
        );
        return counted.numUpdatedRows === 1n;
      };

      if (limit < 1) return false;
      if (await count()) return true;
      if (spacingMs > 0) {
        const near = await read(() =>
          db
            .selectFrom(TABLE)
            .select('period')
            .where('subject', '=', subject)
            .where(tooClose(spacingMs))
            .limit(1)
            .execute(),
        );
        if (near.length > 0) return false;
      }
      const opened = () => db.insertInto(TABLE).values({ subject, period: window, used: 1, last_at: now() });
      // Someone else may have opened the window between the two statements: count in theirs.
      if (!(await run(() => dialect.insertNew(opened(), ['subject', 'period'])))) return count();
      await run(() =>
        db.deleteFrom(TABLE).where('subject', '=', subject).where('period', '<', window).execute(),
      );
      return true;
    },
    async usage(subject, window) {
      const row = await read(() =>
        db
          .selectFrom(TABLE)
          .select(['used', 'last_at'])
          .where('subject', '=', subject)
          .where('period', '=', window)
          .executeTakeFirst(),
      );
      return { used: Number(row?.used ?? 0), lastAt: Number(row?.last_at ?? 0) };
    },
  };
}
