import fc from 'fast-check';
import { expect, test } from 'vitest';
import { callRow } from './call-row.fixture.ts';
import { type CallContext, mayHold, packCalls, unpackCalls } from './packed-calls.ts';
import type { CallRow } from './store.ts';

function callOf(number: number, change: Partial<CallRow> = {}): CallRow {
  const seqid = `69a3b9c0-${String(number).padStart(16, '0')}`;
  return callRow({ seqid, startedAt: 1_772_337_600_000 + number, ...change });
}

/** Few values, so that contexts repeat, and such as a text with lines and quotes may trip over. */
const text = fc.oneof(
  fc.constantFrom('', 'a', 'a\nb', '1\n[]', '"', '\\', '\u0000', '中文😀', '\ud800', 'null'),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const maybeText = fc.option(text, { nil: undefined });
const whole = fc.maxSafeNat();
const call: fc.Arbitrary<CallRow> = fc.record({
  seqid: text,
  startedAt: whole,
  durationMs: whole,
  upstreamMs: whole,
  sends: fc.nat(3),
  method: fc.constantFrom('GET', 'POST', 'M'.repeat(32)),
  path: fc.oneof(text, fc.constantFrom('p'.repeat(512), '😀'.repeat(256))),
  remoteAddress: text,
  caller: maybeText,
  platform: maybeText,
  app: maybeText,
  appid: maybeText,
  injected: fc.boolean(),
  credential: maybeText,
  status: fc.constantFrom(200, 403, 502),
  errcode: fc.option(fc.integer(), { nil: undefined }),
  rid: maybeText,
  failure: fc.constantFrom(undefined, 'PATH_NOT_LISTED' as const),
  replayed: fc.boolean(),
  requestBytes: whole,
  answerBytes: whole,
  end: fc.constantFrom('whole' as const, 'cut' as const, 'caller-gone' as const),
});

test('calls come back as they were packed, whatever is in them', () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 60 }), rows => {
      const packed = packCalls(rows);
      expect(unpackCalls(packed)).toEqual(rows);
      for (const { seqid, rid } of rows) {
        expect(mayHold(packed, seqid)).toBe(true);
        if (rid !== undefined) expect(mayHold(packed, rid)).toBe(true);
      }
    }),
  );
});

test('calls that differ in one thing alone are told apart', () => {
  const other = callOf(1, {
    ...{
      seqid: '69a3b9c0-x',
      startedAt: 1,
      durationMs: 1,
      upstreamMs: 1,
      sends: 2,
      method: 'POST',
      path: '/',
    },
    ...{ remoteAddress: '::1', caller: 'x', platform: 'x', app: 'x', appid: 'x', injected: false },
    ...{ credential: 'x', status: 500, errcode: 1, rid: 'x', failure: 'PATH_NOT_LISTED', replayed: true },
    ...{ requestBytes: 1, answerBytes: 1, end: 'cut' },
  });
  const rows = [callOf(0)];
  for (const field of Object.keys(other) as (keyof CallRow)[])
    rows.push(callOf(0, { [field]: other[field] }), callOf(0));
  expect(unpackCalls(packCalls(rows))).toEqual(rows);
});

test('what repeats is there once, and a call takes few bytes', () => {
  const rows = Array.from({ length: 500 }, (_, number) => callOf(number, { path: `/wxa/${number % 3}` }));
  const packed = packCalls(rows);
  expect(packed.split('orders')).toHaveLength(4);
  expect(packed.length).toBeLessThan(500 * 60);
});

test('a path with more contexts than are compared loses none of them', () => {
  const rows = Array.from({ length: 500 }, (_, number) =>
    callOf(number, { remoteAddress: `10.0.${number % 100}.1` }),
  );
  expect(unpackCalls(packCalls(rows))).toEqual(rows);
});

test('method and path are cut, and fractions of milliseconds rounded', () => {
  const long = callOf(1, {
    method: 'M'.repeat(100),
    path: `/${'p'.repeat(9000)}`,
    startedAt: 5.7,
    durationMs: 1.6,
  });
  expect(unpackCalls(packCalls([long, callOf(2)]))).toEqual([
    { ...long, method: 'M'.repeat(32), path: `/${'p'.repeat(511)}`, startedAt: 5, durationMs: 2 },
    callOf(2),
  ]);
});

test('calls of unwanted contexts are left out, and not even read where all are', () => {
  const rows = [callOf(1), callOf(2, { caller: 'reader', rid: 'r2' }), callOf(3, { caller: undefined })];
  const packed = packCalls(rows);
  const of = (caller: string | undefined) => (context: CallContext) => context.caller === caller;
  expect(unpackCalls(packed, of('reader'))).toEqual([rows[1]]);
  expect(unpackCalls(packed, of(undefined))).toEqual([rows[2]]);
  const [version, contexts] = packed.split('\n');
  expect(unpackCalls(`${version}\n${contexts}\nrubbish`, of('nobody'))).toEqual([]);
});

test('a look for an id finds whole ids alone', () => {
  const packed = packCalls([callOf(12, { rid: 'abc-def' })]);
  expect(mayHold(packed, 'abc-def')).toBe(true);
  for (const other of ['abc', 'bc-def', callOf(1).seqid, '69a3b9c0'])
    expect(mayHold(packed, other)).toBe(false);
});

test('what is damaged, of another version or no batch at all is refused', () => {
  const packed = packCalls([callOf(1), callOf(2)]);
  const [version, contexts, calls, rids] = packed.split('\n');
  const broken = [
    ...['', 'rubbish', '{}', packed.slice(2), `2${packed.slice(1)}`],
    ...[
      `${version}\n${contexts}`,
      `${version}\n[["GET"]]\n${calls}\n${rids}`,
      `${version}\n{}\n${calls}\n${rids}`,
    ],
    ...[`${version}\n${contexts}\n[]\n${rids}`, `${version}\n${contexts}\n[1,0,"s",2]\n${rids}`],
    ...[`${version}\n${contexts}\n[1,9,"s",2,3,4,5,6]\n${rids}`, `${version}\n${contexts}\n${calls}\n{}`],
  ];
  for (const text of broken) expect(() => unpackCalls(text), text).toThrow(TypeError);
  for (let length = 0; length < packed.length; length += 1)
    expect(() => unpackCalls(packed.slice(0, length)), String(length)).toThrow(TypeError);
});
