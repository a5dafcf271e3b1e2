import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../../base/secret.ts';
import { foreignRow } from '../../stores/foreign-row.ts';
import { createSealer, newSealKey } from '../../stores/sealing.ts';
import type { CredentialRow } from '../../stores/store.ts';
import { readRow, rowText } from './row-text.ts';

const NEVER = Number.POSITIVE_INFINITY;
const END = Date.parse('2026-11-21T05:00:00Z');
const VALUE = '{"session_key":"canary-session-key"}';

const foreign = foreignRow('uni-id:weixin-mp:wx01:oABC:session-key', VALUE, END);

const ours: CredentialRow = {
  ...foreign,
  platform: 'weixin-mp',
  appid: 'wx01',
  kind: 'access-token',
  epoch: 7,
  issuedAt: END - 7_200_000,
  renewAt: END - 300_000,
  background: true,
  fingerprint: '0123456789abcdef',
  previous: { value: '{"access_token":"P"}', fingerprint: 'fedcba9876543210', expiresAt: END - 1 },
};

/** A line with these fields. */
const line = (fields: Record<string, unknown>): string =>
  JSON.stringify({ _id: foreign.id, value: VALUE, expired: END, ...fields });

test('a row is written as uniCloud exports it', () => {
  expect(rowText(ours, false)).toBe(
    `{"_id":"${foreign.id}","value":"{\\"session_key\\":\\"canary-session-key\\"}","expired":1795237200000}`,
  );
  expect(JSON.parse(rowText({ ...ours, expiresAt: NEVER }, false)).expired).toBe(-1);
});

test('our own columns are written on demand, and read again', () => {
  expect(JSON.parse(rowText(ours, true)).openBridge).toEqual({
    platform: 'weixin-mp',
    appid: 'wx01',
    kind: 'access-token',
    epoch: 7,
    issuedAt: END - 7_200_000,
    renewAt: END - 300_000,
    background: true,
    fingerprint: '0123456789abcdef',
    previous: { value: '{"access_token":"P"}', fingerprint: 'fedcba9876543210', expired: END - 1 },
  });
  const forever = { ...ours, previous: ours.previous && { ...ours.previous, expiresAt: NEVER } };
  for (const row of [ours, foreign, forever]) expect(readRow(rowText(row, true))).toEqual(row);
  expect(readRow(rowText(ours, false))).toEqual(foreign);
});

test('what is written is read as it was, in one line', () => {
  const id = fc.string({ unit: 'binary', minLength: 1 }).filter(text => text.trim() === text);
  const expiresAt = fc.oneof(fc.constant(NEVER), fc.integer({ min: 1e11, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(id, fc.object({ withNullPrototype: false }), expiresAt, (anyId, value, end) => {
      const row = { ...foreign, id: anyId, value: JSON.stringify(value), expiresAt: end };
      for (const full of [false, true]) {
        expect(rowText(row, full)).not.toContain('\n');
        expect(readRow(rowText(row, full))).toEqual(row);
      }
    }),
  );
});

test.each([
  ['milliseconds', END, END],
  ['milliseconds with a fraction', END + 0.7, END],
  ['-1', -1, NEVER],
  ['null', null, NEVER],
  ['nothing', undefined, NEVER],
  ['ISO 8601', '2026-11-21T05:00:00.000Z', END],
  ['ISO 8601 without seconds', '2026-11-21T05:00Z', END],
  ['ISO 8601 of another zone', '2026-11-21T13:00:00+08:00', END],
  ['$date with a text', { $date: '2026-11-21T05:00:00Z' }, END],
  ['$date with a number', { $date: END }, END],
  ['$date with $numberLong', { $date: { $numberLong: String(END) } }, END],
  ['$numberLong', { $numberLong: String(END) }, END],
  ['$numberLong of -1', { $numberLong: '-1' }, NEVER],
  ['$numberInt of -1', { $numberInt: '-1' }, NEVER],
  ['$numberDouble', { $numberDouble: `${END}.0` }, END],
])('expired may be given as %s', (_, expired, expiresAt) => {
  expect(readRow(line({ expired }))).toEqual({ ...foreign, expiresAt });
});

test.each([
  ['seconds', END / 1000],
  ['zero', 0],
  ['minus two', -2],
  ['more than a number can hold', 1e300],
  ['a number as text', String(END)],
  ['a time without zone', '2026-11-21T05:00:00'],
  ['a day', '2026-11-21'],
  ['no day', '2026-13-41T05:00:00Z'],
  ['a word', 'never'],
  ['a truth value', true],
  ['a list', [END]],
  ['an unknown wrapper', { $timestamp: END }],
  ['a wrapper with more in it', { $numberLong: String(END), more: 1 }],
  ['a wrapper of nonsense', { $numberLong: '1e3' }],
  ['a wrapper of a wrong date', { $date: 'tomorrow' }],
])('expired may not be %s', (_, expired) => {
  expect(readRow(line({ expired }))).toMatch(/^expired must be milliseconds since 1970/);
});

test('value may be an object, and its numbers in Extended JSON', () => {
  const value = {
    access_token: 'T',
    access_token_expired: { $numberLong: String(END) },
    list: [{ $numberInt: '1' }],
  };
  expect(readRow(line({ value }))).toEqual({
    ...foreign,
    value: `{"access_token":"T","access_token_expired":${END},"list":[1]}`,
  });
});

test('value as text stays as it is, letter by letter', () => {
  const value = '{ "session_key" : "K", "n": 1.0, "l": {"$numberLong":"1"} }';
  expect(readRow(line({ value }))).toEqual({ ...foreign, value });
});

test('fields nobody knows are passed over', () => {
  expect(readRow(line({ _add_time: 1, platform: 'weixin-mp', epoch: 9 }))).toEqual(foreign);
});

const sealed = createSealer([new Secret(newSealKey())]).seal(VALUE, foreign.id);

test.each([
  ['nothing', '', /^is not JSON/],
  ['cut', line({}).slice(0, -1), /^is not JSON/],
  ['two in one', line({}) + line({}), /^is not JSON/],
  ['a list', `[${line({})}]`, /^is not an object/],
  ['a text', JSON.stringify(VALUE), /^is not an object/],
  ['null', 'null', /^is not an object/],
  ['without _id', line({ _id: undefined }), /^_id must be a text/],
  ['with an ObjectId', line({ _id: { $oid: '65a1b2c30f0f0f0f1a2b3c4d' } }), /^_id must be a text/],
  ['with an empty _id', line({ _id: '' }), /^_id must be a text/],
  ['with a long _id', line({ _id: 'x'.repeat(513) }), /^_id is longer than 512/],
  ['with a space after _id', line({ _id: 'x ' }), /^_id begins or ends with white space/],
  ['without value', line({ value: undefined }), /^value must be an object/],
  ['with a number as value', line({ value: 1 }), /^value must be an object/],
  ['with null as value', line({ value: null }), /^value must be an object/],
  ['with null as text', line({ value: 'null' }), /^value holds no object/],
  ['with a text in the text', line({ value: JSON.stringify(VALUE) }), /^value holds no object/],
  ['with cut text', line({ value: VALUE.slice(0, -1) }), /^value is a text but not JSON/],
  ['with a sealed value', line({ value: sealed }), /^value is sealed/],
  ['with a wrong epoch', line({ openBridge: { epoch: -1 } }), /^openBridge\.epoch is not as/],
  [
    'with a wrong former value',
    line({ openBridge: { previous: { value: VALUE } } }),
    /^openBridge\.previous\./,
  ],
  ['with a text of ours', line({ openBridge: VALUE }), /^openBridge is not as/],
])('a line %s is refused, and not quoted', (_, text, fault) => {
  const refusal = readRow(text);
  expect(refusal).toMatch(fault);
  expect(refusal).not.toContain('canary');
});

test('no text whatever makes it throw, or is quoted', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ minLength: 8 }), fc.json()), text => {
      const read = readRow(text);
      if (typeof read === 'string' && text.length > 7) expect(read).not.toContain(text);
    }),
  );
});
