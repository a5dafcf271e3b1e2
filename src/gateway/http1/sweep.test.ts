import { expect, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import type { Sweep, Timed } from './sweep.ts';
import { createSweep } from './sweep.ts';

function setup() {
  const clock = manualClock(0);
  const sweep = createSweep(clock);
  const told: string[] = [];
  const item = (
    name: string,
    then: (sweep: Sweep, self: Timed) => void = (s, self) => s.remove(self),
  ): Timed => ({
    dueAt: 0,
    sweptAt: -1,
    onDue() {
      told.push(`${name} at ${clock.now()}`);
      then(sweep, this);
    },
  });
  return { clock, sweep, told, item };
}

test('each is told at its time, in whatever order they came', async () => {
  const { clock, sweep, told, item } = setup();
  sweep.add(item('slow'), 60_000);
  sweep.add(item('quick'), 50);
  await clock.advance(49);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual(['quick at 50']);
  await clock.advance(60_000);
  expect(told).toEqual(['quick at 50', 'slow at 60000']);
});

test('a time that has moved on counts, and one that has moved closer too', async () => {
  const { clock, sweep, told, item } = setup();
  const late = item('late');
  const early = item('early');
  sweep.add(late, 1000);
  sweep.add(early, 90_000);
  sweep.move(late, 5000);
  sweep.move(early, 2000);
  await clock.advance(1999);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual(['early at 2000']);
  await clock.advance(3000);
  expect(told).toEqual(['early at 2000', 'late at 5000']);
});

test('a time that never comes is no time to wake at', async () => {
  const { clock, sweep, told, item } = setup();
  const busy = item('busy');
  sweep.add(busy, 100);
  sweep.move(busy, Number.POSITIVE_INFINITY);
  await clock.advance(3_600_000);
  expect(told).toEqual([]);
  expect(clock.sleepers()).toBe(0);
  sweep.move(busy, clock.now() + 10);
  await clock.advance(10);
  expect(told).toHaveLength(1);
});

test('sweeps are spaced, so that many times close together cost few', async () => {
  const { clock, sweep, told, item } = setup();
  for (let i = 0; i < 100; i += 1) sweep.add(item(`${i}`), 1000 + i);
  await clock.advance(1000);
  expect(told).toHaveLength(1);
  await clock.advance(249);
  expect(told).toHaveLength(1);
  await clock.advance(1);
  expect(told).toHaveLength(100);
});

test('what is removed is not told, and when the last has left nobody sleeps', async () => {
  const { clock, sweep, told, item } = setup();
  const [a, b, c] = [item('a'), item('b'), item('c')];
  for (const each of [a, b, c]) sweep.add(each, 100);
  sweep.remove(a);
  sweep.remove(a);
  await clock.advance(100);
  expect(told).toEqual(['c at 100', 'b at 100']);
  expect(clock.sleepers()).toBe(0);
});

test('one that removes others while it is told does not confuse the rest', async () => {
  const { clock, sweep, told, item } = setup();
  const victim = item('victim');
  sweep.add(
    item('first', (s, self) => {
      s.remove(self);
      s.remove(victim);
    }),
    100,
  );
  sweep.add(victim, 100);
  sweep.add(item('last'), 100);
  await clock.advance(100);
  expect(told).toEqual(['first at 100', 'last at 100']);
});

test('one that does nothing is told again', async () => {
  const { clock, sweep, told, item } = setup();
  sweep.add(
    item('stubborn', () => {}),
    100,
  );
  await clock.advance(600);
  expect(told).toEqual(['stubborn at 100', 'stubborn at 350', 'stubborn at 600']);
});

test('times further away than a timer can hold are slept for in parts', async () => {
  const { clock, sweep, told, item } = setup();
  sweep.add(item('far'), 10_000_000);
  await clock.advance(9_999_999);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual(['far at 10000000']);
});
