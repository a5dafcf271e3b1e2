import { budgetWindow, nextChinaMidnight } from '../credentials/budget.ts';
import type { CallRecord } from '../gateway/record.ts';
import { NO_USAGE } from '../stores/no-usage.ts';
import type { UsageRow } from '../stores/store.ts';

/** The day that a moment counts in: that of the platform's own counters, such as `2026-11-21`. */
export function usageDay(at: number): string {
  return budgetWindow({ window: 'day' }, at);
}

/** Sums of calls that wait to be added to those in the store. */
export interface UsageCounts {
  count(record: CallRecord): void;
  readonly size: number;
  /** Hands the sums over and begins anew. */
  take(): readonly UsageRow[];
  /** Adds sums that could not be handed on. */
  putBack(rows: readonly UsageRow[]): void;
}

type Sums = { -readonly [Field in keyof UsageRow]: UsageRow[Field] };

/** Counts calls by day, caller and app. Both are names of the configuration, so there are not many. */
export function createUsageCounts(): UsageCounts {
  let sums = new Map<string, Sums>();
  let day = { name: '', from: 0, until: 0 };

  function dayOf(at: number): string {
    if (at < day.from || at >= day.until) {
      const until = nextChinaMidnight(at);
      day = { name: usageDay(at), from: nextChinaMidnight(at - 24 * 60 * 60 * 1000), until };
    }
    return day.name;
  }

  function sumsOf(row: Pick<UsageRow, 'day' | 'caller' | 'appid'>): Sums {
    const key = `${row.day} ${row.appid ?? ''} ${row.caller ?? ''}`;
    let found = sums.get(key);
    if (found === undefined) {
      const { day, caller, appid } = row;
      found = { day, caller, appid, ...NO_USAGE };
      sums.set(key, found);
    }
    return found;
  }

  return {
    count(record) {
      const { startedAt, caller, appid, sends, errcode = 0, failure } = record;
      const to = sumsOf({ day: dayOf(startedAt), caller, appid });
      to.calls += 1;
      // What was never sent out and carries an errcode is a refusal of ours in the platform's form.
      if (failure !== undefined || (errcode !== 0 && sends === 0)) to.refused += 1;
      else if (errcode !== 0) to.errors += 1;
      if (record.replayed) to.replayed += 1;
      to.requestBytes += record.requestBytes;
      to.answerBytes += record.answerBytes;
    },
    get size() {
      return sums.size;
    },
    take() {
      const taken = [...sums.values()];
      sums = new Map();
      return taken;
    },
    putBack(rows) {
      for (const row of rows) {
        const to = sumsOf(row);
        to.calls += row.calls;
        to.errors += row.errors;
        to.refused += row.refused;
        to.replayed += row.replayed;
        to.requestBytes += row.requestBytes;
        to.answerBytes += row.answerBytes;
      }
    },
  };
}
