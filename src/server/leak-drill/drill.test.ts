import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Drill, drillSubject, parseDrills, withDrill } from './drill.ts';

const NOW = Date.parse('2026-03-01T04:00:00Z');
const DAY = 24 * 60 * 60_000;

function drill(change: Partial<Drill> = {}): Drill {
  return {
    ...{ id: '0011223344556677', platform: 'weixin-mp', appid: 'wx01', app: 'shop', state: 'done' },
    ...{ startedAt: NOW, since: NOW, runner: 'host:1/x', resumed: 0, steps: {}, ends: {} },
    ...{ tokens: [], keys: [], callers: [], tickets: [], ...change },
  };
}

test('what is written is read again', () => {
  const whole = drill({
    state: 'failed',
    reason: 'no',
    endedAt: NOW + 1,
    actor: 'admin',
    remoteAddress: '127.0.0.1',
    steps: { look: { startedAt: NOW, endedAt: NOW, outcome: 'fine' }, revoke: { startedAt: NOW } },
    ends: { 'first-refresh': '0123456789abcdef' },
    tokens: [{ fingerprint: '0123456789abcdef', issuedAt: NOW, at: NOW }],
  });
  const drills = { [drillSubject({ platform: 'weixin-mp', appid: 'wx01' })]: whole };
  expect(parseDrills(JSON.stringify(drills))).toEqual(drills);
  expect(parseDrills(undefined)).toEqual({});
});

test.each(['', '{', '7', '[]', '{"weixin-mp:wx01":{"id":"x"}}'])('%j is refused with advice', text => {
  expect(() => parseDrills(text)).toThrow(
    expect.objectContaining({ code: 'STORE_UNAVAILABLE', hint: expect.stringContaining('remove that row') }),
  );
});

test('drills that run and the one that is written are never left out; old ones and too many are', () => {
  const some = fc.dictionary(
    fc.string({ minLength: 1 }),
    fc.record({ age: fc.integer({ min: 0, max: 800 }), runs: fc.boolean() }),
    { maxKeys: 400, size: 'max' },
  );
  fc.assert(
    fc.property(some, fc.string({ minLength: 1 }), (given, subject) => {
      const before = Object.fromEntries(
        Object.entries(given).map(([name, { age, runs }]) => [
          name,
          drill({ startedAt: NOW - age * DAY, state: runs ? 'running' : 'done' }),
        ]),
      );
      const written = drill({ id: 'written' });
      const after = withDrill(before, subject, written, NOW);
      expect(after[subject]).toBe(written);
      const left = Object.keys(before).filter(name => name !== subject && after[name] === undefined);
      const runners = Object.values(after).filter(({ state }) => state === 'running').length;
      for (const name of left) {
        const { startedAt, state } = before[name] as Drill;
        const isOld = startedAt <= NOW - 400 * DAY;
        expect(isOld || (Object.keys(after).length === 200 && (state !== 'running' || runners === 199))).toBe(
          true,
        );
      }
      for (const name of Object.keys(after)) if (name !== subject) expect(after[name]).toBe(before[name]);
    }),
    { numRuns: 50 },
  );
});
