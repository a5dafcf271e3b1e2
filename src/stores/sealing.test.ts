import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { createSealer, newSealKey, type Sealer, sealKeyFault } from './sealing.ts';

const key = new Secret(newSealKey());
const sealer = createSealer([key]);

function failureOf(work: () => unknown): BridgeError {
  try {
    work();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** Changes one byte of sealed text's body. */
function damaged(sealed: string, at: number): string {
  const [prefix, version, keyId, body = ''] = sealed.split(':');
  const bytes = Buffer.from(body, 'base64url');
  const index = at % bytes.length;
  bytes[index] = (bytes[index] ?? 0) ^ 0x01;
  return [prefix, version, keyId, bytes.toString('base64url')].join(':');
}

test('what is sealed opens again, in its own place, and shows nothing of itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, context) => {
      const sealed = sealer.seal(text, context);
      expect(sealer.open(sealed, context)).toBe(text);
      if (text.length > 5) expect(sealed).not.toContain(text);
      expect(sealed).toMatch(/^sealed:v1:[0-9a-f]{8}:[\w-]+$/);
    }),
  );
});

test('the same text is never sealed to the same letters twice', () => {
  const sealed = new Set(Array.from({ length: 200 }, () => sealer.seal('text', 'row')));
  expect(sealed.size).toBe(200);
});

test('a value moved to another place does not open', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (text, context, other) => {
      fc.pre(context !== other);
      const sealed = sealer.seal(text, context);
      expect(failureOf(() => sealer.open(sealed, other)).code).toBe('SEAL_BROKEN');
    }),
  );
  const sealed = sealer.seal('{"access_token":"T"}', 'uni-id:weixin-mp:wx01:access-token');
  const error = failureOf(() => sealer.open(sealed, 'uni-id:weixin-mp:wx02:access-token'));
  expect(error.message).toContain('uni-id:weixin-mp:wx02:access-token');
  expect(error.message).toContain('damaged or moved');
  expect(error.hint).toContain('remove it');
});

test('no byte of a sealed value can be changed', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), (text, at) => {
      const error = failureOf(() => sealer.open(damaged(sealer.seal(text, 'row'), at), 'row'));
      expect(error.code).toBe('SEAL_BROKEN');
    }),
  );
});

test('a sealed value cut to any length does not open', () => {
  const sealed = sealer.seal('text', 'row');
  const [, , keyId, body = ''] = sealed.split(':');
  const bytes = Buffer.from(body, 'base64url');
  for (let length = 0; length < bytes.length; length += 1) {
    const cut = `sealed:v1:${keyId}:${bytes.subarray(0, length).toString('base64url')}`;
    expect(failureOf(() => sealer.open(cut, 'row')).code).toBe('SEAL_BROKEN');
  }
  expect(failureOf(() => sealer.open('sealed:v1:', 'row')).code).toBe('SEAL_BROKEN');
});

test('text that was never sealed passes as it is', () => {
  expect(sealer.open('{"access_token":"T"}', 'row')).toBe('{"access_token":"T"}');
  expect(sealer.open('', 'row')).toBe('');
});

test('a missing key is named, with what to do', () => {
  const sealed = sealer.seal('text', 'row');
  const keyId = sealed.split(':')[2] ?? 'none';
  const other = createSealer([new Secret(newSealKey())]);
  const otherId = other.seal('text', 'row').split(':')[2];
  const error = failureOf(() => other.open(sealed, 'row'));
  expect(error.code).toBe('SEAL_BROKEN');
  expect(error.message).toContain(`sealed with key ${keyId}`);
  expect(error.hint).toContain(`configured keys: ${otherId}`);
  expect(error.hint).toContain('storage.sealKey');
});

test('after a rotation the new key seals and both open', () => {
  const next = new Secret(newSealKey());
  const rotated = createSealer([next, key]);
  const old = sealer.seal('old', 'row');
  expect(rotated.open(old, 'row')).toBe('old');
  const fresh = rotated.seal('fresh', 'row');
  expect(rotated.open(fresh, 'row')).toBe('fresh');
  expect(createSealer([next]).open(fresh, 'row')).toBe('fresh');
  expect(failureOf(() => sealer.open(fresh, 'row')).code).toBe('SEAL_BROKEN');
});

test('a key that claims the id of another does not open its values', () => {
  const sealed = sealer.seal('text', 'row');
  const other = createSealer([new Secret(newSealKey())]);
  const otherId = other.seal('', '').split(':')[2] ?? '';
  const relabelled = sealed.replace(/^sealed:v1:[0-9a-f]{8}/, `sealed:v1:${otherId}`);
  expect(failureOf(() => other.open(relabelled, 'row')).message).toContain('does not open with its key');
});

test('a fresh key is 32 random bytes in base64', () => {
  const keys = Array.from({ length: 50 }, newSealKey);
  expect(new Set(keys).size).toBe(50);
  for (const each of keys) {
    expect(Buffer.from(each, 'base64')).toHaveLength(32);
    expect(each).toHaveLength(44);
    expect(sealKeyFault(each)).toBeUndefined();
    expect(sealKeyFault(each.replace(/=+$/, ''))).toBeUndefined();
  }
});

const BAD_KEYS = [
  '',
  'password',
  randomBytes(16).toString('base64'),
  randomBytes(33).toString('base64'),
  randomBytes(32).toString('hex'),
  `${randomBytes(32).toString('base64').slice(0, 40)}!!!=`,
  ` ${newSealKey()}`,
  `${newSealKey()}\n`,
  newSealKey() + newSealKey(),
];

test.each(BAD_KEYS.map((bad, index) => [index, bad] as const))('bad key %i is refused unquoted', (_, bad) => {
  const fault = sealKeyFault(bad) ?? '';
  expect(fault).toContain('32 random bytes in base64');
  expect(fault).toContain(`this one has ${bad.length} characters`);
  expect(fault).toContain('open-bridge keys new');
  const error = failureOf(() => createSealer([key, new Secret(bad)]));
  expect(error.code).toBe('SEAL_BROKEN');
  if (bad.trim().length > 0) expect(everythingAbout(error)).not.toContain(bad.trim());
});

test('no fault of any key quotes it', () => {
  fc.assert(
    fc.property(fc.base64String({ minLength: 4 }), bad => {
      const fault = sealKeyFault(bad);
      if (fault !== undefined) expect(fault.includes(bad)).toBe(false);
    }),
  );
});

test('what failing seals throw shows neither key nor text', () => {
  const canary = 'canary-token-in-a-sealed-value';
  const sealed = sealer.seal(canary, 'row');
  const other: Sealer = createSealer([new Secret(newSealKey())]);
  for (const error of [
    failureOf(() => sealer.open(sealed, 'elsewhere')),
    failureOf(() => sealer.open(damaged(sealed, 20), 'row')),
    failureOf(() => other.open(sealed, 'row')),
  ]) {
    expect(everythingAbout(error)).not.toContain(canary);
    expect(everythingAbout(error)).not.toContain(key.reveal());
  }
});

test('a sealer without a key is a mistake of the program', () => {
  expect(() => createSealer([])).toThrow(TypeError);
});
