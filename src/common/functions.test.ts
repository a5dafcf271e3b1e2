import { beforeEach, describe, expect, test, vi } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { BridgeError } from '../base/errors.ts';
import { type MemoryBackend, memoryBackend } from './backend.fixture.ts';
import { OpenBridgeError } from './errors.ts';
import type { ResolvedKey } from './fallback.ts';
import { createFunctions, type OpenBridge } from './functions.ts';

const KEY = { dcloudAppid: '__UNI__A', platform: 'weixin-mp' };
const USER = { ...KEY, openid: 'o-canary' };
const VALUE = { access_token: 't1' };

let backend: MemoryBackend;
let log: ReturnType<typeof keptLog>;
let bridge: OpenBridge;

beforeEach(() => {
  backend = memoryBackend();
  log = keptLog();
  bridge = createFunctions(backend, log);
});

const refusal = (call: Promise<unknown>): Promise<OpenBridgeError> =>
  call.then(
    () => Promise.reject(new Error('it was not refused')),
    error => error,
  );

test('a value goes in and comes out; set, remove and update give nothing', async () => {
  expect(await bridge.setAccessToken(KEY, VALUE, 7200)).toBeUndefined();
  expect(await bridge.getAccessToken(KEY)).toEqual(VALUE);
  expect(await bridge.getAccessToken(KEY, null, { detail: true })).toEqual({
    ...{ value: VALUE, expiresIn: 7200, state: 'usable', reason: null },
  });
  expect(await bridge.updateAccessToken(KEY)).toBeUndefined();
  expect(await bridge.removeAccessToken(KEY)).toBeUndefined();
  expect(await bridge.getAccessToken(KEY)).toBeNull();
  expect(await bridge.getAccessToken(KEY, null, { detail: true })).toEqual({
    ...{ value: null, expiresIn: null, state: 'absent', reason: null },
  });
});

test('the key is left as it was', async () => {
  const key = Object.freeze({ ...USER, version: '1' });
  await bridge.setEncryptKey(key, { encrypt_key: 'k', iv: 'i' });
  await bridge.getEncryptKey(key, async () => ({ value: null }));
  expect(key).toEqual({ ...USER, version: '1' });
});

test('what is wrong is told by a rejection, never by a throw', async () => {
  const call = bridge.getAccessToken(undefined as never);
  expect(await refusal(call)).toMatchObject({
    name: 'OpenBridgeError',
    code: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR',
    errCode: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR',
    errMsg: 'key must be an object, not undefined; give { dcloudAppid, platform }',
    message: 'key must be an object, not undefined; give { dcloudAppid, platform }',
    reason: 'REQUEST_MALFORMED',
  });
  expect(backend.asked).toEqual([]);
});

test("the platform's errcode is a number", async () => {
  backend.failure = () =>
    new BridgeError('CREDENTIAL_UNAVAILABLE', 'no token', {
      upstream: { errcode: 40164, errmsg: 'invalid ip' },
      hint: 'add it',
    });
  const error = await refusal(bridge.getAccessToken(KEY));
  expect(error).toBeInstanceOf(OpenBridgeError);
  expect(error).toMatchObject({ code: 40164, errCode: 40164, reason: 'CREDENTIAL_UNAVAILABLE' });
  expect(error.errMsg).toBe('no token: the platform said 40164 invalid ip; add it');
});

test.each([
  [{ detail: 'yes' }, 'detail must be true or false'],
  [{ obtain: 1 }, 'obtain must be true or false'],
  ['detail', 'options must be an object, not a string'],
  [[], 'options must be an object, not an array'],
])('options %o are refused', async (options, message) => {
  expect((await refusal(bridge.getTicket(KEY, null, options as never))).errMsg).toContain(message);
});

test('closing is handed on, once', async () => {
  await Promise.all([bridge.close(), bridge.close()]);
  expect(backend.closed).toBe(1);
});

describe('a fallback', () => {
  test('is not asked while something is stored', async () => {
    await bridge.setAccessToken(KEY, VALUE);
    const fallback = vi.fn();
    expect(await bridge.getAccessToken(KEY, fallback)).toEqual(VALUE);
    expect(fallback).not.toHaveBeenCalled();
  });

  test('takes the place of the built-in way', async () => {
    await bridge.getAccessToken(KEY, async () => ({ value: null }));
    expect(backend.asked.map(({ obtain }) => obtain)).toEqual([false]);
    await bridge.getAccessToken(KEY, null);
    await bridge.getAccessToken(KEY, undefined);
    expect(backend.asked.slice(1).map(({ obtain }) => obtain)).toEqual([true, true]);
  });

  test('is given the resolved key, and what it brings is stored and returned', async () => {
    let given: ResolvedKey | undefined;
    const fallback = async (key: ResolvedKey) => {
      given = key;
      return { value: { session_key: 's1', extra: 1 }, duration: 60 };
    };
    expect(await bridge.getSessionKey(USER, fallback)).toEqual({ session_key: 's1', extra: 1 });
    expect(given).toEqual({ ...USER, provider: 'weixin-mp', appid: 'wx1' });
    expect(await bridge.getSessionKey(USER, null, { detail: true })).toMatchObject({ expiresIn: 60 });
  });

  test('may answer at once instead of in time', async () => {
    const fallback = () => ({ value: { ticket: 'x' }, duration: -1 });
    expect(await bridge.getTicket(KEY, fallback, { detail: true })).toEqual({
      ...{ value: { ticket: 'x' }, expiresIn: -1, state: 'usable', reason: null },
    });
  });

  test('without a duration serves and stores nothing', async () => {
    const fallback = async () => ({ value: VALUE });
    expect(await bridge.getAccessToken(KEY, fallback)).toEqual(VALUE);
    expect(await bridge.getAccessToken(KEY, fallback, { detail: true })).toMatchObject({
      expiresIn: null,
      state: 'usable',
    });
    expect(backend.values.size).toBe(0);
  });

  test('without a value gives null and stores nothing', async () => {
    expect(await bridge.getAccessToken(KEY, async () => ({ value: null, duration: 1 }))).toBeNull();
    expect(backend.values.size).toBe(0);
  });

  test.each([
    [undefined, 'the fallback must resolve to { value, duration }, not to undefined'],
    [null, 'not to null'],
    ['token', 'not to a string'],
    [[VALUE], 'not to an array'],
    [{}, 'there is no value: give null for none'],
    [VALUE, 'there is no value: give null for none'],
    [{ value: undefined, duration: 1 }, 'there is no value'],
    [{ value: 'token', duration: 1 }, "the fallback's value must be a plain object, not a string"],
    [{ value: { ticket: 'x' }, duration: 1 }, "the fallback's value.access_token is missing"],
    [{ value: { ticket: 'x' } }, "the fallback's value.access_token is missing"],
    [{ value: VALUE, duration: '7200' }, "the fallback's duration must be a number of seconds, not a string"],
    [{ value: VALUE, duration: 0 }, "the fallback's duration is 0"],
    [{ value: VALUE, duration: null }, "the fallback's duration must be a number of seconds, not null"],
  ])('that resolves to %o is refused', async (result, message) => {
    const error = await refusal(bridge.getAccessToken(KEY, async () => result as never));
    expect(error).toMatchObject({ reason: 'FALLBACK_INVALID', errMsg: expect.stringContaining(message) });
    expect(backend.values.size).toBe(0);
  });

  test.each([['text'], [{}], [true]])('%o is refused', async fallback => {
    const error = await refusal(bridge.getAccessToken(KEY, fallback as never));
    expect(error.errMsg).toContain('fallback must be an async function');
    expect(backend.asked).toEqual([]);
  });

  test('that throws has its error handed on as it is', async () => {
    const own = new RangeError('mine');
    expect(
      await refusal(
        bridge.getAccessToken(KEY, () => {
          throw own;
        }),
      ),
    ).toBe(own);
    expect(await refusal(bridge.getAccessToken(KEY, () => Promise.reject(own)))).toBe(own);
    expect(await refusal(bridge.getAccessToken(KEY, () => Promise.reject('text')))).toBe('text');
    expect(await bridge.getAccessToken(KEY, async () => ({ value: VALUE }))).toEqual(VALUE);
  });

  test('that stores is asked once by many who miss together', async () => {
    let calls = 0;
    const fallback = async () => {
      calls += 1;
      await Promise.resolve();
      return { value: { access_token: `t${calls}` }, duration: 60 };
    };
    const values = await Promise.all(Array.from({ length: 50 }, () => bridge.getAccessToken(KEY, fallback)));
    expect(new Set(values.map(value => value?.access_token))).toEqual(new Set(['t1']));
    expect(calls).toBe(1);
    await bridge.removeAccessToken(KEY);
    await bridge.getAccessToken(KEY, fallback);
    expect(calls).toBe(2);
  });

  test('that fails lets the others ask their own', async () => {
    const results = await Promise.allSettled([
      bridge.getAccessToken(KEY, () => Promise.reject(new Error('down'))),
      bridge.getAccessToken(KEY, async () => ({ value: VALUE, duration: 60 })),
    ]);
    expect(results[0]).toMatchObject({ status: 'rejected', reason: { message: 'down' } });
    expect(results[1]).toEqual({ status: 'fulfilled', value: VALUE });
  });

  test('for one credential does not wait for that of another', async () => {
    const never = new Promise<never>(() => {});
    void bridge.getAccessToken(KEY, () => never);
    const other = { ...KEY, platform: 'weixin-h5' };
    expect(await bridge.getAccessToken(other, async () => ({ value: VALUE }))).toEqual(VALUE);
  });

  test.each(['STORE_UNAVAILABLE', 'BRIDGE_UNREACHABLE'] as const)(
    'serves while what is stored cannot be reached (%s)',
    async reason => {
      backend.failure = () =>
        reason === 'STORE_UNAVAILABLE'
          ? new BridgeError(reason, 'away')
          : new OpenBridgeError({ errCode: 'X', errMsg: 'away' }, reason);
      let given: ResolvedKey | undefined;
      const fallback = async (key: ResolvedKey) => {
        given = key;
        return { value: { session_key: 'canary-session' }, duration: 60 };
      };
      expect(await bridge.getSessionKey(USER, fallback)).toEqual({ session_key: 'canary-session' });
      expect(given).toEqual({ ...USER, provider: 'weixin-mp' });
      expect(log.messages('warn')).toEqual([
        'what is stored cannot be read; asking the fallback',
        'what the fallback brought cannot be stored',
      ]);
      expect(log.text()).not.toContain('canary');
      expect((await refusal(bridge.getSessionKey(USER))).reason).toBe(reason);
    },
  );

  test('is not asked when the key means no app', async () => {
    backend.failure = () => new BridgeError('APP_UNKNOWN', 'no such app');
    const fallback = vi.fn();
    expect((await refusal(bridge.getAccessToken(KEY, fallback))).reason).toBe('APP_UNKNOWN');
    expect(fallback).not.toHaveBeenCalled();
  });

  test('whose value may not be stored is told so', async () => {
    backend.failure = ({ verb }) =>
      verb === 'set' ? new BridgeError('CALLER_FORBIDDEN', 'no scope credential:write') : undefined;
    const call = bridge.getAccessToken(KEY, async () => ({ value: VALUE, duration: 60 }));
    expect((await refusal(call)).reason).toBe('CALLER_FORBIDDEN');
  });
});
