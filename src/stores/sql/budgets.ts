import type { ExpressionBuilder } from 'kysely';
import type { Tables } from '../schema.ts';
import type { BudgetTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';

/** `open_bridge_budgets`: uses of the limits that the platform sets. */
export function budgetTable({ db, run, now }: SqlBackend): BudgetTable {
  return {
    async take({ subject, window, limit, spacingMs }) {
      const at = now();
      const count = async (): Promise<boolean> => {
        const counted = await run(() =>
          db
            .updateTable('open_bridge_budgets')
            .set(set => ({ used: set('used', '+', 1), last_at: at }))
            .where('subject', '=', subject)
            .where('period', '=', window)
            .where('used', '<', limit)
            .$if(spacingMs > 0, query => query.where(where => where.not(tooClose(where))))
            .executeTakeFirst(),
        );
        return counted.numUpdatedRows === 1n;
      };
      // A last use far in the future was noted before the clock was set back: it bars nothing.
      const tooClose = (where: ExpressionBuilder<Tables, 'open_bridge_budgets'>) =>
        where.between('last_at', at - spacingMs + 1, at + spacingMs);

      if (limit < 1) return false;
      if (await count()) return true;
      if (spacingMs > 0) {
        const near = await run(() =>
          db
            .selectFrom('open_bridge_budgets')
            .select('period')
            .where('subject', '=', subject)
            .where(tooClose)
            .limit(1)
            .execute(),
        );
        if (near.length > 0) return false;
      }
      const inserted = await run(() =>
        db
          .insertInto('open_bridge_budgets')
          .values({ subject, period: window, used: 1, last_at: at })
          .onConflict(conflict => conflict.columns(['subject', 'period']).doNothing())
          .executeTakeFirst(),
      );
      // Someone else opened the window between the two statements: count in theirs.
      if (inserted.numInsertedOrUpdatedRows !== 1n) return count();
      await run(() =>
        db
          .deleteFrom('open_bridge_budgets')
          .where('subject', '=', subject)
          .where('period', '<', window)
          .execute(),
      );
      return true;
    },
    async usage(subject, window) {
      const row = await run(() =>
        db
          .selectFrom('open_bridge_budgets')
          .select(['used', 'last_at'])
          .where('subject', '=', subject)
          .where('period', '=', window)
          .executeTakeFirst(),
      );
      return { used: Number(row?.used ?? 0), lastAt: Number(row?.last_at ?? 0) };
    },
  };
}
