import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import type { BridgeKind } from './methods.ts';
import { checkValue } from './value.ts';

const FIELDS: Readonly<Record<BridgeKind, readonly string[]>> = {
  'access-token': ['access_token'],
  'user-access-token': ['access_token'],
  'session-key': ['session_key'],
  'encrypt-key': ['encrypt_key', 'iv'],
  ticket: ['ticket'],
};
const KINDS = Object.keys(FIELDS) as BridgeKind[];
const whole = (kind: BridgeKind): Record<string, unknown> =>
  Object.fromEntries(FIELDS[kind].map(field => [field, 'canary-value']));

test.each(KINDS)('a %s needs its fields, and keeps others', kind => {
  const value = { ...whole(kind), note: { deep: [1, null, 'x'] } };
  expect(checkValue(kind, value)).toEqual(value);
  for (const field of FIELDS[kind]) {
    const refused = (held: unknown): unknown =>
      thrownBy(() => checkValue(kind, { ...whole(kind), [field]: held }));
    expect(String(refused(undefined))).toContain(`value.${field} is missing`);
    expect(String(refused(''))).toContain(`value.${field} is empty`);
    expect(String(refused(null))).toContain(`value.${field} must be a string, not null`);
    expect(String(refused(7))).toContain(`value.${field} must be a string, not a number`);
    expect(String(refused(['x']))).toContain(`value.${field} must be a string, not an array`);
    expect(refused(undefined)).toMatchObject({
      code: 'REQUEST_MALFORMED',
      hint: expect.stringContaining(`"${field}"`),
    });
  }
});

class Token {
  readonly access_token = 'canary-value';
}

test.each([
  [undefined, 'value is missing'],
  [null, 'value must be a plain object, not null'],
  [[], 'value must be a plain object, not an array'],
  ['canary-value', 'value must be a plain object, not a string'],
  [() => 'canary-value', 'value must be a plain object, not a function'],
  [new Map([['access_token', 'canary-value']]), 'value must be a plain object, not an object'],
  [new Token(), 'value must be a plain object, not an object'],
  [new Date(0), 'value must be a plain object, not an object'],
  [{ access_token: 'canary-value', size: 1n }, 'value cannot be written as JSON'],
  [{ access_token: 'canary-value', toJSON: () => 'canary-value' }, 'value cannot be written as JSON'],
  [{ access_token: 'canary-value', toJSON: () => undefined }, 'value cannot be written as JSON'],
  [{ access_token: 'canary-value'.repeat(3000) }, 'value is longer than 32768 characters'],
])('%o is refused without being shown', (value, message) => {
  const error = thrownBy(() => checkValue('access-token', value));
  expect(String(error)).toContain(message);
  expect(everythingAbout(error)).not.toContain('canary-value');
});

test('a circle is refused', () => {
  const value: Record<string, unknown> = { access_token: 'canary-value' };
  value['self'] = value;
  expect(String(thrownBy(() => checkValue('access-token', value)))).toContain('cannot be written as JSON');
});

test('objects of another realm and without a prototype are plain', () => {
  const bare = Object.assign(Object.create(null), { ticket: 't' });
  expect(checkValue('ticket', bare)).toEqual({ ticket: 't' });
  expect(checkValue('ticket', runInNewContext('({ ticket: "t" })'))).toEqual({ ticket: 't' });
});

test('what is taken is what JSON makes of it, and a copy', () => {
  const extra = fc.dictionary(fc.string(), fc.jsonValue());
  fc.assert(
    fc.property(extra, fc.string({ minLength: 1 }), (others, token) => {
      const value = { ...others, access_token: token };
      const taken = checkValue('access-token', value);
      expect(taken).toEqual(JSON.parse(JSON.stringify(value)));
      expect(taken).not.toBe(value);
    }),
  );
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
}
