import { describe, expect, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import { seededRandom } from '../../../test/support/temporary.ts';
import { BridgeError } from '../../base/errors.ts';
import { createAttempts, type FailureKind } from './attempts.ts';

class Failed extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind) {
    super(kind);
    this.kind = kind;
  }
}

/** A statement that fails so, one after the other, and then succeeds; `tries` tells how often it ran. */
function world(...kinds: FailureKind[]) {
  const clock = manualClock();
  let tries = 0;
  const attempts = createAttempts({
    clock,
    random: seededRandom(),
    subject: 'the database (h:1/d)',
    failureOf: error => ({ kind: (error as Failed).kind, reason: 'why', hint: 'what to do' }),
  });
  const statement = async () => {
    const kind = kinds[tries];
    tries += 1;
    if (kind !== undefined) throw new Failed(kind);
    return 'done';
  };
  return { clock, attempts, statement, tries: () => tries };
}

const unavailable = {
  code: 'STORE_UNAVAILABLE',
  message: 'the database (h:1/d) failed: why',
  hint: 'what to do',
};

describe('a statement that fails', () => {
  test('a conflict is tried again after a moment, in bounds', async () => {
    const { clock, attempts, statement, tries } = world('conflict', 'conflict', 'conflict');
    const start = clock.now();
    expect(await clock.settled(attempts.run(statement))).toBe('done');
    expect(tries()).toBe(4);
    expect(clock.now()).toBeGreaterThan(start);

    const forever = world(...Array<FailureKind>(20).fill('conflict'));
    const before = forever.clock.now();
    await expect(forever.clock.settled(forever.attempts.run(forever.statement))).rejects.toMatchObject(
      unavailable,
    );
    expect(forever.tries()).toBe(9);
    expect(forever.clock.now() - before).toBeLessThan(1100);
  });

  test('a conflict that took seconds to show is the end', async () => {
    const { clock, attempts, statement, tries } = world('conflict', 'conflict', 'conflict');
    const slowly = async () => {
      clock.jump(2000);
      return statement();
    };
    await expect(clock.settled(attempts.run(slowly))).rejects.toMatchObject(unavailable);
    expect(tries()).toBe(2);
  });

  test('one that was never sent is sent again, once', async () => {
    for (const way of ['run', 'read'] as const) {
      const once = world('unsent');
      expect(await once.attempts[way](once.statement)).toBe('done');
      const twice = world('unsent', 'unsent');
      await expect(twice.attempts[way](twice.statement)).rejects.toMatchObject(unavailable);
    }
  });

  test('after a lost connection a question is asked again, and a change is not made again', async () => {
    const question = world('lost');
    expect(await question.attempts.read(question.statement)).toBe('done');
    const change = world('lost');
    await expect(change.attempts.run(change.statement)).rejects.toMatchObject(unavailable);
    expect(change.tries()).toBe(1);
  });

  test('a refusal stands', async () => {
    for (const way of ['run', 'read'] as const) {
      const refused = world('refused');
      await expect(refused.attempts[way](refused.statement)).rejects.toMatchObject(unavailable);
      expect(refused.tries()).toBe(1);
    }
  });

  test('an error of ours passes as it is', async () => {
    const { attempts } = world();
    const ours = new BridgeError('SEAL_BROKEN', 'ours');
    await expect(attempts.run(() => Promise.reject(ours))).rejects.toBe(ours);
  });
});
