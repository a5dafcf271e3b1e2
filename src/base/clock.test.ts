import { expect, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { deadline, systemClock } from './clock.ts';

test('the system clock tells the time and sleeps', async () => {
  const before = Date.now();
  await systemClock.sleep(1);
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  expect(Number.isInteger(systemClock.now())).toBe(true);
});

test('a sleep ends with the reason of its signal', async () => {
  const reason = new Error('enough');
  const early = AbortSignal.abort(reason);
  await expect(systemClock.sleep(60_000, early)).rejects.toBe(reason);
  const controller = new AbortController();
  const sleep = systemClock.sleep(60_000, controller.signal);
  controller.abort(reason);
  await expect(sleep).rejects.toBe(reason);
});

test('a deadline aborts with its reason when the time is over, and not before', async () => {
  const clock = manualClock();
  const { signal } = deadline(clock, 1000, () => 'late');
  await clock.advance(999);
  expect(signal.aborted).toBe(false);
  await clock.advance(1);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBe('late');
});

test('a deadline that is cleared never aborts and leaves nobody asleep', async () => {
  const clock = manualClock();
  const limit = deadline(clock, 1000, () => 'late');
  limit.clear();
  await clock.advance(5000);
  expect(limit.signal.aborted).toBe(false);
  expect(clock.sleepers()).toBe(0);
});

test('the manual clock wakes sleepers in the order of their times', async () => {
  const clock = manualClock(0);
  const woken: string[] = [];
  const sleep = (ms: number): void => void clock.sleep(ms).then(() => woken.push(`${ms}@${clock.now()}`));
  sleep(300);
  sleep(100);
  sleep(200);
  await clock.advance(250);
  expect(woken).toEqual(['100@100', '200@200']);
  expect(clock.now()).toBe(250);
  await clock.advance(50);
  expect(woken).toEqual(['100@100', '200@200', '300@300']);
});

test('the manual clock moves on for a promise that waits, and says when none ever will', async () => {
  const clock = manualClock(0);
  const work = async (): Promise<string> => {
    await clock.sleep(1000);
    await clock.sleep(500);
    return 'done';
  };
  await expect(clock.settled(work())).resolves.toBe('done');
  expect(clock.now()).toBe(1500);
  await expect(clock.settled(clock.sleep(10_000), 1000)).rejects.toThrow('not settled within 1000 ms');
});
