import { expect, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { Call } from './call.ts';
import { createDeadlines } from './deadlines.ts';

function setup() {
  const clock = manualClock(0);
  const expired: Call[] = [];
  const deadlines = createDeadlines(clock, call => expired.push(call));
  const begin = (timeoutMs: number): Call => {
    const call = new Call(
      { method: 'GET', target: '/', headers: [], body: undefined, remoteAddress: '' },
      clock.now(),
    );
    deadlines.add(call, timeoutMs);
    return call;
  };
  return { clock, expired, deadlines, begin };
}

test('calls expire at their time, in whatever order they came', async () => {
  const { clock, expired, begin } = setup();
  const slow = begin(100);
  await clock.advance(10);
  const quick = begin(20);
  await clock.advance(19);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual([quick]);
  await clock.advance(69);
  expect(expired).toEqual([quick]);
  await clock.advance(1);
  expect(expired).toEqual([quick, slow]);
  expect(clock.sleepers()).toBe(0);
});

test('calls that are over do not expire, and one sleeper serves any number', async () => {
  const { clock, expired, deadlines, begin } = setup();
  const calls = Array.from({ length: 1000 }, () => begin(50));
  expect(clock.sleepers()).toBe(1);
  for (const call of calls) deadlines.remove(call);
  await clock.advance(20);
  const late = begin(50);
  expect(clock.sleepers()).toBe(1);
  await clock.advance(49);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual([late]);
});

test('closing wakes the sleeper', async () => {
  const { clock, deadlines, begin } = setup();
  begin(50);
  deadlines.close();
  await clock.advance(0);
  expect(clock.sleepers()).toBe(0);
});
