import { createHash } from 'node:crypto';
import { format, inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everythingAbout, keptLog } from '../../test/support/canary.ts';
import { BridgeError } from './errors.ts';
import { equalInConstantTime, fingerprintOf, Secret } from './secret.ts';

const CANARY = 'canary-4f2a-do-not-print-this-value';

test('a fingerprint is the first 16 hex digits of the SHA-256', () => {
  expect(fingerprintOf('abc')).toBe('ba7816bf8f01cfea');
  expect(new Secret(CANARY).fingerprint).toBe(createHash('sha256').update(CANARY).digest('hex').slice(0, 16));
});

test('a secret shows its fingerprint wherever it is printed', () => {
  const secret = new Secret(CANARY);
  const shown = `[secret ${fingerprintOf(CANARY)}]`;
  const nested = { list: [secret], map: new Map([['key', secret]]), set: new Set([secret]) };
  const renderings = [
    `${secret}`,
    String(secret),
    ['', secret].join(''),
    JSON.stringify({ secret }),
    JSON.stringify([secret, { deep: { secret } }]),
    inspect(secret),
    inspect(secret, { showHidden: true, getters: true, depth: Number.POSITIVE_INFINITY }),
    inspect(nested, { showHidden: true, depth: Number.POSITIVE_INFINITY }),
    format('%s', secret),
    format('%o', secret),
    format('%O', { secret }),
    format('%j', { secret }),
    format(secret),
    new Error(`failed with ${secret}`).message,
  ];
  for (const rendering of renderings) {
    expect(rendering).not.toContain(CANARY);
    expect(rendering).toContain(shown);
  }
  const without = [
    Object.entries(secret),
    Object.getOwnPropertyNames(secret),
    Reflect.ownKeys(secret),
    { ...secret },
    Object.assign({}, secret),
    structuredClone(secret),
    format('%d', secret),
  ];
  for (const rendering of without) expect(inspect(rendering, { showHidden: true })).not.toContain(CANARY);
});

test('a secret inside errors and their causes does not come out', () => {
  const secret = new Secret(CANARY);
  const inner = Object.assign(new Error(`inner ${secret}`), { secret, options: { headers: [secret] } });
  const outer = new BridgeError('INTERNAL', `outer ${secret}`, { cause: inner, hint: `see ${secret}` });
  expect(everythingAbout(outer)).not.toContain(CANARY);
  expect(everythingAbout(outer)).toContain(secret.fingerprint);
  expect(everythingAbout(new AggregateError([inner, outer]))).not.toContain(CANARY);
});

test('pino writes a secret as its fingerprint', () => {
  const secret = new Secret(CANARY);
  const log = keptLog();
  log.error(
    { secret, app: { secret }, err: Object.assign(new Error('failed'), { secret }) },
    `with ${secret}`,
  );
  expect(log.text()).not.toContain(CANARY);
  expect(log.text()).toContain(secret.fingerprint);
});

test('the canary itself is found when it is printed', () => {
  const log = keptLog();
  log.info({ token: CANARY }, 'leaky');
  expect(log.text()).toContain(CANARY);
  expect(everythingAbout(new Error('outer', { cause: new Error(CANARY) }))).toContain(CANARY);
  expect(everythingAbout(Object.assign(new Error('outer'), { url: CANARY }))).toContain(CANARY);
});

test('only reveal gives the value, and matches compares it', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (value, other) => {
      const secret = new Secret(value);
      expect(secret.reveal()).toBe(value);
      expect(secret.matches(value)).toBe(true);
      expect(secret.matches(other)).toBe(value === other);
      expect(equalInConstantTime(value, other)).toBe(value === other);
    }),
  );
});

test('no rendering of any secret of some length contains it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 17 }), value => {
      const secret = new Secret(value);
      for (const rendering of [`${secret}`, JSON.stringify(secret), inspect(secret)]) {
        expect(rendering.includes(value)).toBe(false);
      }
    }),
  );
});
