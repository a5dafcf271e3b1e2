import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { RedisLink } from './link.ts';
import { refusalWord } from './open-link.ts';

/** How often commands under way are looked at. */
const SWEEP_MS = 10;
/**
 * A command is given up when it was seen so often, so after 40 to 50 ms; then the database is asked. Sights
 * and not time are counted, because after a pause of this process the answers are there but not yet read.
 */
const SIGHTS = 5;
/** Failures in a row after which Redis is left alone. One may be a pause of this process itself. */
const MOST_FAILURES = 3;
/** How long it is left alone before it is tried again. */
const REST_MS = 1000;
/**
 * How long no copy is believed after Redis was only slow: removals were held up with everything else, and
 * those that their senders gave up are repeated by now.
 */
const SETTLE_MS = 3000;
/** How often it is seen whether the first connection is made. */
const START_MS = 20;
/** How long the first connection may take before it is worth a word in the log. */
const START_PATIENCE_MS = 2000;
/** Pause of new copies after Redis said that it is full. */
const FULL_MS = 1000;

/** With these words Redis refuses more than the one command. */
const LASTING: ReadonlySet<string> = new Set([
  ...['READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'NOAUTH', 'NOPERM', 'MISCONF', 'NOREPLICAS'],
]);

/** A key that no one has: removing it shows whether Redis takes writes, even when it is full. */
const PROBE = 'open-bridge:probe';

/** What came of a command. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

const FAILED = { ok: false } as const;

/** Keeps Redis' troubles from those who ask. */
export interface Guard {
  /** Runs a command for at most some milliseconds. Never throws; a failure is counted and may lead to a rest. */
  run<T>(command: () => Promise<T>): Promise<Outcome<T>>;
  /** Whether commands are sent at all just now. */
  isUsed(): boolean;
  /** Whether what Redis holds may be believed: not while it rests, nor for a while after. */
  isTrusted(): boolean;
  /** Whether there is room for new copies, as far as is known. */
  hasRoom(): boolean;
  state(): { readonly ok: true } | { readonly ok: false; readonly reason: string };
  readonly counts: { timeouts: number; errors: number; outages: number };
  close(): Promise<void>;
}

/** What a guard works with. */
export interface GuardOptions {
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * How long copies live: so long none is believed after a connection was lost or another server took over,
   * as removals may have been lost with it.
   */
  readonly copyLifeMs: number;
  /** Called when Redis is to be used again after a rest; what it does is under the guard. */
  readonly onRecovery: () => Promise<void>;
}

interface Command {
  sights: number;
  giveUp(): void;
}

/**
 * A time limit on commands and a circuit breaker around them. It begins at rest, so that the first thing
 * sent is a probe and nobody waits for a Redis that is down at the start.
 */
export function createGuard({ link, clock, log, copyLifeMs, onRecovery }: GuardOptions): Guard {
  const counts = { timeouts: 0, errors: 0, outages: 0 };
  const closing = new AbortController();
  const underWay = new Set<Command>();
  let sweeping = false;
  let failures = 0;
  let resting: string | undefined = 'not connected yet';
  let isFirst = true;
  let complained = false;
  const startedAt = clock.now();
  let trustedFrom = Number.POSITIVE_INFINITY;
  let distrustForMs = 0;
  let fullUntil = Number.NEGATIVE_INFINITY;

  /** One timer for all commands: one each would cost as much as the command. */
  async function sweep(): Promise<void> {
    while (underWay.size > 0) {
      await clock.sleep(SWEEP_MS, closing.signal).catch(() => {});
      for (const command of underWay) {
        command.sights += 1;
        if (!closing.signal.aborted && command.sights < SIGHTS) continue;
        underWay.delete(command);
        command.giveUp();
      }
    }
    sweeping = false;
  }

  function within<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const command: Command = {
        sights: 0,
        giveUp: () => reject(new NoAnswer(`no answer within ${SIGHTS * SWEEP_MS} ms`)),
      };
      underWay.add(command);
      if (!sweeping) {
        sweeping = true;
        void sweep();
      }
      work.then(resolve, reject).finally(() => underWay.delete(command));
    });
  }

  function fail(error: unknown): void {
    const reason = error instanceof Error ? error.message : 'an unknown error';
    if (error instanceof NoAnswer) counts.timeouts += 1;
    else counts.errors += 1;
    const word = refusalWord(error);
    if (word === 'OOM') {
      fullUntil = clock.now() + FULL_MS;
      return;
    }
    failures += 1;
    if (LASTING.has(word ?? '')) rest(reason, copyLifeMs);
    else if (failures >= MOST_FAILURES) rest(reason, SETTLE_MS);
  }

  function rest(reason: string, distrustMs: number): void {
    if (closing.signal.aborted) return;
    distrustForMs = Math.max(distrustForMs, distrustMs);
    const isResting = resting !== undefined;
    resting = reason;
    if (isResting) return;
    trustedFrom = Number.POSITIVE_INFINITY;
    counts.outages += 1;
    log.warn({ redis: link.name, reason }, 'Redis cannot be used; the database is read instead');
    void recover();
  }

  /** Tries from time to time, behind everybody's back. */
  async function recover(): Promise<void> {
    let pause = isFirst ? START_MS : REST_MS;
    while (!closing.signal.aborted) {
      await clock.sleep(pause, closing.signal).catch(() => {});
      if (closing.signal.aborted) return;
      if (!link.isReady()) {
        complainOnce();
        continue;
      }
      try {
        await within(link.send(PROBE, ['DEL', PROBE]));
      } catch (error) {
        resting = error instanceof Error ? error.message : 'an unknown error';
        complainOnce();
        pause = REST_MS;
        continue;
      }
      await resume();
      return;
    }
  }

  async function resume(): Promise<void> {
    failures = 0;
    resting = undefined;
    await onRecovery();
    if (resting !== undefined) return;
    trustedFrom = isFirst ? clock.now() : clock.now() + distrustForMs;
    distrustForMs = 0;
    if (!isFirst || complained) log.info({ redis: link.name }, 'Redis is used again');
    isFirst = false;
  }

  /** Of a Redis that was never there; later outages are told when they begin. */
  function complainOnce(): void {
    if (!isFirst || complained || clock.now() - startedAt < START_PATIENCE_MS) return;
    complained = true;
    log.warn(
      { redis: link.name, reason: resting },
      'Redis cannot be reached; the database is read instead. Check that it runs and what storage.redis says',
    );
  }

  link.onInterruption(reason => rest(reason, copyLifeMs));
  const started = recover();

  return {
    counts,
    isUsed: () => resting === undefined,
    isTrusted: () => resting === undefined && clock.now() >= trustedFrom,
    hasRoom: () => clock.now() >= fullUntil,
    state: () => (resting === undefined ? { ok: true } : { ok: false, reason: resting }),
    async run(command) {
      if (resting !== undefined || closing.signal.aborted) return FAILED;
      try {
        const value = await within(command());
        failures = 0;
        return { ok: true, value };
      } catch (error) {
        if (!closing.signal.aborted) fail(error);
        return FAILED;
      }
    },
    async close() {
      closing.abort();
      await started;
    },
  };
}

/** Redis did not answer in time. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}
