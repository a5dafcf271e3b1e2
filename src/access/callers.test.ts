import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../base/secret.ts';
import type { CallerConfig, CallerProof } from './callers.ts';
import {
  CALLER_SCOPES,
  createCallerDirectory,
  groundsOf,
  hashCallerKey,
  isLocalCaller,
  mayListenOn,
} from './callers.ts';

const LOCAL = '127.0.0.1';
const REMOTE = '203.0.113.9';

function config(name: string, change: Partial<CallerConfig> = {}): CallerConfig {
  return { name, keys: [], addresses: [], tokens: 'real', ...change };
}

function refusalOf(directory: ReturnType<typeof createCallerDirectory>, proof: CallerProof): unknown {
  try {
    directory.authenticate(proof);
  } catch (error) {
    return error;
  }
  throw new Error('was accepted');
}

describe('without callers', () => {
  const directory = createCallerDirectory([], () => 0);

  test.each(['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])(
    '%s is the local caller with every right',
    remoteAddress => {
      const caller = directory.authenticate({ remoteAddress });
      expect(caller).toMatchObject({ name: 'local', apps: undefined, allow: undefined, tokens: 'real' });
      expect([...caller.scopes]).toEqual([...CALLER_SCOPES]);
      expect(isLocalCaller(caller)).toBe(true);
    },
  );

  test('everyone else is refused and told what to do', () => {
    expect(refusalOf(directory, { remoteAddress: REMOTE })).toMatchObject({
      code: 'CALLER_UNKNOWN',
      message: expect.stringContaining(REMOTE),
      hint: expect.stringMatching(/"callers".*x-bridge-key/),
    });
    expect(refusalOf(directory, { key: 'any', remoteAddress: REMOTE })).toMatchObject({
      code: 'CALLER_UNKNOWN',
    });
  });
});

describe('with callers', () => {
  const directory = createCallerDirectory(
    [
      config('orders', {
        keys: [hashCallerKey('old'), hashCallerKey('new').toUpperCase()],
        apps: ['shop'],
        allow: ['/wxa/*'],
      }),
      config('batch', { addresses: ['10.0.0.0/8', LOCAL], scopes: ['call', 'operate'], tokens: 'virtual' }),
    ],
    () => 0,
  );

  test('each of several keys is that caller, whatever its address', () => {
    for (const key of ['old', 'new']) {
      const caller = directory.authenticate({ key, remoteAddress: REMOTE });
      expect(caller.name).toBe('orders');
      expect(caller.apps).toEqual(new Set(['shop']));
      expect(caller.allow?.matches('/wxa/x')).toBe(true);
      expect([...caller.scopes]).toEqual(['call', 'credential:report']);
    }
  });

  test('an address is that caller', () => {
    expect(directory.authenticate({ remoteAddress: '::ffff:10.3.2.1' })).toMatchObject({
      name: 'batch',
      tokens: 'virtual',
    });
  });

  test('a wrong key is refused even from an address that would do', () => {
    for (const key of ['wrong', '', hashCallerKey('old')]) {
      expect(refusalOf(directory, { key, remoteAddress: '10.0.0.1' })).toMatchObject({
        code: 'CALLER_UNKNOWN',
      });
    }
  });

  test('the machine itself is nobody special any more', () => {
    const strict = createCallerDirectory([config('orders', { keys: [hashCallerKey('k')] })], () => 0);
    expect(refusalOf(strict, { remoteAddress: LOCAL })).toMatchObject({
      code: 'CALLER_UNKNOWN',
      hint: expect.stringContaining('x-bridge-key'),
    });
  });

  test('a refusal never repeats the key', () => {
    const error = refusalOf(directory, { key: 'canary-key', remoteAddress: REMOTE });
    expect(JSON.stringify(error) + String(error)).not.toContain('canary-key');
  });

  test('an address is remembered only until the next reload', () => {
    const changing = createCallerDirectory([config('a', { addresses: [REMOTE] })], () => 0);
    expect(changing.authenticate({ remoteAddress: REMOTE }).name).toBe('a');
    expect(changing.authenticate({ remoteAddress: REMOTE }).name).toBe('a');
    changing.replace([config('b', { keys: [hashCallerKey('k')] })]);
    expect(refusalOf(changing, { remoteAddress: REMOTE })).toMatchObject({ code: 'CALLER_UNKNOWN' });
    expect(changing.authenticate({ key: 'k', remoteAddress: REMOTE }).name).toBe('b');
    expect(changing.all().map(caller => caller.name)).toEqual(['b']);
  });

  test('a reload that cannot be used changes nothing', () => {
    const kept = createCallerDirectory([config('a', { keys: [hashCallerKey('k')] })], () => 0);
    expect(() => kept.replace([config('b', { keys: ['not a hash'] })])).toThrow(/caller b: a key must be/);
    expect(kept.authenticate({ key: 'k', remoteAddress: REMOTE }).name).toBe('a');
  });

  test('two callers cannot share a key', () => {
    const keys = [hashCallerKey('same')];
    expect(() => createCallerDirectory([config('a', { keys }), config('b', { keys })], () => 0)).toThrow(
      /a and b have the same key/,
    );
  });
});

test.each([
  ['127.0.0.1', 0, true],
  ['::1', 0, true],
  ['localhost', 0, true],
  ['0.0.0.0', 0, false],
  ['::', 0, false],
  ['10.0.0.5', 0, false],
  ['bridge.internal', 0, false],
  ['0.0.0.0', 1, true],
])('mayListenOn(%j) with %i callers is %s', (address, count, may) => {
  expect(
    mayListenOn(
      address,
      Array.from({ length: count }, (_, i) => config(`c${i}`)),
    ),
  ).toBe(may);
});

describe('revoked keys', () => {
  const REVOKED_AT = Date.parse('2026-03-01T04:00:00Z');
  const revoked = new Set([hashCallerKey('leaked'), hashCallerKey('of nobody')]);
  const configs = [
    config('orders', { keys: [hashCallerKey('leaked'), hashCallerKey('other').toUpperCase()] }),
    config('batch', { addresses: [REMOTE], keys: [hashCallerKey('sound')] }),
  ];
  const directory = createCallerDirectory(
    configs,
    () => 0,
    keyHash => (revoked.has(keyHash) ? REVOKED_AT : undefined),
  );

  test('are refused, telling since when and what to do, and the other keys are not', () => {
    const refusal = {
      code: 'CALLER_UNKNOWN',
      message: 'this key was revoked on 2026-03-01T04:00:00.000Z',
      hint: expect.stringContaining("another of the caller's keys"),
    };
    expect(refusalOf(directory, { key: 'leaked', remoteAddress: LOCAL })).toMatchObject(refusal);
    // No falling back to the address.
    expect(refusalOf(directory, { key: 'leaked', remoteAddress: REMOTE })).toMatchObject(refusal);
    expect(() => directory.byKey('leaked')).toThrow('was revoked');
    expect(directory.byKey('other')?.name).toBe('orders');
    expect(directory.authenticate({ key: 'other', remoteAddress: REMOTE }).name).toBe('orders');
    expect(directory.authenticate({ remoteAddress: REMOTE }).name).toBe('batch');
    expect(refusalOf(directory, { key: 'of nobody', remoteAddress: LOCAL })).toMatchObject({
      message: expect.stringContaining('belongs to no caller'),
    });
    expect(directory.byKey('of nobody')).toBeUndefined();
  });

  test('end what stands on them', () => {
    expect(directory.entitled('orders', groundsOf('leaked'), LOCAL)).toBeUndefined();
    expect(directory.entitled('orders', groundsOf('other'), LOCAL)?.name).toBe('orders');
  });

  test('stay revoked over a reload, and do not open the gateway to everybody here', () => {
    const reloaded = createCallerDirectory(
      [],
      () => 0,
      () => REVOKED_AT,
    );
    reloaded.replace(configs);
    for (const key of ['leaked', 'other', 'sound'])
      expect(refusalOf(reloaded, { key, remoteAddress: LOCAL })).toMatchObject({ code: 'CALLER_UNKNOWN' });
    expect(refusalOf(reloaded, { remoteAddress: LOCAL })).toMatchObject({ code: 'CALLER_UNKNOWN' });
  });

  test('every key is named by its fingerprint', () => {
    expect(directory.keys()).toEqual(
      [
        ['orders', 'leaked'],
        ['orders', 'other'],
        ['batch', 'sound'],
      ].map(([caller, key]) => ({
        caller,
        keyHash: hashCallerKey(key ?? ''),
        fingerprint: fingerprintOf(key ?? ''),
      })),
    );
  });
});
