import type { AuditEvent } from './audit.ts';

/** For so long the same event again is counted and not written again. */
const WINDOW_MS = 60_000;
/** Most events told apart in a window; beyond it the window ends early. */
const MOST = 20_000;

/** An event, and how often it happened since it was last written. */
export interface AuditSum {
  readonly event: AuditEvent;
  since: number;
  at: number;
  times: number;
  /** Whether it is about to be written, so that what happens until then goes with it. */
  waiting: boolean;
}

/** The events of the present window, each once. */
export interface AuditSums {
  /** Counts an event that is known in this window; false when it is new. */
  again(key: string, now: number): boolean;
  /** Enters a new one. */
  add(key: string, event: AuditEvent, now: number): AuditSum;
  /** Takes out what was counted since it was last written, if the window is over or is to be. */
  close(now: number, early: boolean): AuditSum[];
  /** When what was counted is to be written; undefined while there is nothing. */
  readonly dueAt: number | undefined;
}

/** Makes the sums of one writer. */
export function createAuditSums(): AuditSums {
  let sums = new Map<string, AuditSum>();
  let endsAt = 0;
  let repeated = false;
  return {
    again(key, now) {
      const sum = sums.get(key);
      if (sum === undefined || now >= endsAt) return false;
      if (sum.times === 0) sum.since = now;
      sum.times += 1;
      sum.at = now;
      if (!sum.waiting) repeated = true;
      return true;
    },
    add(key, event, now) {
      if (sums.size === 0) endsAt = now + WINDOW_MS;
      const sum = { event, since: now, at: now, times: 1, waiting: true };
      sums.set(key, sum);
      return sum;
    },
    close(now, early) {
      if (!early && now < endsAt && now >= endsAt - WINDOW_MS && sums.size < MOST) return [];
      const counted = [...sums.values()].filter(sum => !sum.waiting && sum.times > 0);
      sums = new Map();
      repeated = false;
      return counted;
    },
    get dueAt() {
      return repeated ? endsAt : undefined;
    },
  };
}

/** What makes two events the same. */
export function sumKey(event: AuditEvent): string {
  const { action, outcome, actor, remoteAddress, kind, app, user, credential, detail } = event;
  return `${action}\n${outcome}\n${actor}\n${remoteAddress}\n${kind}\n${app?.appid}\n${user}\n${credential}\n${detail}`;
}
