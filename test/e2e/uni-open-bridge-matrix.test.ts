import { describe, expect, it } from 'vitest';
import type { BridgeKind } from '../../src/common/methods.ts';
import { METHOD_NAMES, METHODS, methodFor } from '../../src/common/methods.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import {
  APPS,
  DCLOUD,
  outcomeOf,
  type Stage,
  startStage,
  type TestPlatform,
  type Way,
} from './uni-open-bridge.fixture.ts';

const LIFE_S = 60;
const OPENID = 'oABCD1234567890abcdefghijklm';

const VALUES: Readonly<Record<BridgeKind, object>> = {
  'access-token': { access_token: 'pushed' },
  'user-access-token': { access_token: 'pushed', note: 'kept' },
  'session-key': { session_key: 'pushed' },
  'encrypt-key': { encrypt_key: 'pushed', iv: 'pushed' },
  ticket: { ticket: 'pushed' },
};
const KINDS = Object.keys(VALUES) as BridgeKind[];

/** Kinds of which a platform has none, so that not even a pushed one is kept. A mini program's ticket is the official account's. */
const NONE: Partial<Record<TestPlatform, readonly BridgeKind[]>> = {
  'qq-mp': ['ticket'],
  'qq-app': ['ticket'],
};

/** Kinds that are got from the platform when there is none. */
const OBTAINED: Partial<Record<TestPlatform, readonly BridgeKind[]>> = {
  'weixin-mp': ['access-token', 'ticket', 'encrypt-key'],
  'weixin-h5': ['access-token', 'ticket'],
  'qq-mp': ['access-token'],
};

function keyOf(kind: BridgeKind, platform: TestPlatform): Record<string, unknown> {
  const key = { dcloudAppid: DCLOUD, platform };
  if (kind === 'access-token' || kind === 'ticket') return key;
  return kind === 'encrypt-key' ? { ...key, openid: OPENID, version: 1 } : { ...key, openid: OPENID };
}

/** One cell of the matrix: a kind on a platform, by one way. */
interface Cell {
  readonly kind: BridgeKind;
  readonly key: Record<string, unknown>;
  /** What the function for this cell comes to. */
  does(verb: 'get' | 'set' | 'remove' | 'update', input?: object, key?: unknown): Promise<unknown>;
}

const refused = (reason: string, errMsg: unknown = expect.any(String)) => ({
  ...{ errCode: expect.anything(), errMsg, reason },
});
const saying = (text: string) => refused('REQUEST_MALFORMED', expect.stringContaining(text));
const DONE = { gave: undefined };
const NULL = { gave: null };

const WAYS = ['embedded', 'remote', 'http'] as const;

describe.each(APPS.map(({ platform }) => platform))('%s', platform => {
  describe.each(WAYS)('%s', wayName => {
    let clock: ManualClock;

    async function start(): Promise<{ readonly stage: Stage; readonly way: Way }> {
      clock = manualClock();
      const stage = await startStage({ clock });
      const way = (await stage.ways()).find(({ name }) => name === wayName);
      if (way === undefined) throw new Error(`no way ${wayName}`);
      return { stage, way };
    }

    function cells(way: Way, all: boolean): readonly Cell[] {
      return KINDS.filter(kind => all || !NONE[platform]?.includes(kind)).map(kind => {
        const key = keyOf(kind, platform);
        return {
          ...{ kind, key },
          does: (verb, input = {}, other = key) =>
            outcomeOf(
              way.call(
                methodFor({ verb, kind }),
                other,
                verb === 'set' ? { value: VALUES[kind], ...input } : input,
              ),
            ),
        };
      });
    }

    const obtained = (kind: BridgeKind): boolean => OBTAINED[platform]?.includes(kind) === true;
    const updated = (kind: BridgeKind): boolean =>
      METHOD_NAMES.some(name => METHODS[name].verb === 'update' && METHODS[name].kind === kind);

    it('hit, miss and expiry', async () => {
      const { stage, way } = await start();
      for (const { kind, does } of cells(way, false)) {
        expect(await does('get', { obtain: false })).toEqual(NULL);
        expect(await does('remove')).toEqual(DONE);
        expect(await does('set', { expiresIn: LIFE_S })).toEqual(DONE);
        expect(await does('get')).toEqual({ gave: VALUES[kind] });
        expect(await does('get', { detail: true })).toEqual({
          gave: { value: VALUES[kind], expiresIn: LIFE_S, state: 'usable', reason: null },
        });
        expect(await does('remove')).toEqual(DONE);
        expect(await does('get', { obtain: false })).toEqual(NULL);
        expect(await does('set', { expiresIn: LIFE_S })).toEqual(DONE);
      }
      await clock.advance(LIFE_S * 1000);
      for (const { kind, does } of cells(way, false)) {
        expect(await does('get', { obtain: false })).toEqual(NULL);
        expect(await does('get', { obtain: false, detail: true })).toMatchObject({
          gave: {
            value: null,
            expiresIn: null,
            state: kind === 'user-access-token' ? 'login-required' : 'absent',
          },
        });
        expect(await does('set', { expiresIn: -1 })).toEqual(DONE);
        expect(await does('get', { detail: true })).toMatchObject({ gave: { expiresIn: -1 } });
      }
      expect(stage.simulator.counters().total.calls).toEqual({});
    });

    it('what the platform gives when there is none, and anew', async () => {
      const { way } = await start();
      for (const { kind, does } of cells(way, false)) {
        if (!obtained(kind)) expect(await does('get')).toEqual(NULL);
        else if (kind === 'encrypt-key') expect(await does('get')).toEqual(refused('LOGIN_REQUIRED'));
        else expect(await does('get')).toEqual({ gave: { [kind.replace('-', '_')]: expect.any(String) } });
        if (!updated(kind)) continue;
        const came = await does('update');
        if (kind === 'encrypt-key')
          expect(came).toEqual(refused(obtained(kind) ? 'LOGIN_REQUIRED' : 'CREDENTIAL_UNSUPPORTED'));
        else expect(came).toEqual(obtained(kind) ? DONE : refused('CREDENTIAL_UNAVAILABLE'));
      }
    });

    it('the platform refuses', async () => {
      const { stage, way } = await start();
      stage.simulator.faults.add({ kind: 'errcode', errcode: 40164, errmsg: 'invalid ip 127.0.0.1' });
      const told = {
        ...{ errCode: 40164, reason: 'CREDENTIAL_UNAVAILABLE' },
        errMsg: expect.stringContaining('invalid ip 127.0.0.1'),
      };
      for (const { kind, does } of cells(way, false)) {
        if (kind === 'encrypt-key')
          expect(
            await outcomeOf(
              way.call('setSessionKey', keyOf('session-key', platform), { value: VALUES['session-key'] }),
            ),
          ).toEqual(DONE);
        expect(await does('get')).toEqual(obtained(kind) ? told : NULL);
        if (obtained(kind)) expect(await does('update')).toEqual(told);
        expect(await does('get', { obtain: false })).toEqual(NULL);
        expect(await does('set')).toEqual(DONE);
        expect(await does('get')).toEqual({ gave: VALUES[kind] });
        expect(await does('remove')).toEqual(DONE);
      }
    });

    it('a bad key', async () => {
      const { way } = await start();
      for (const { kind, key, does } of cells(way, true)) {
        const verbs = updated(kind)
          ? (['get', 'set', 'remove', 'update'] as const)
          : (['get', 'set', 'remove'] as const);
        for (const verb of verbs) {
          const withKey = (change: object): Promise<unknown> => does(verb, {}, { ...key, ...change });
          expect(await withKey({ platform: undefined })).toEqual(saying('platform is missing'));
          expect(await withKey({ platform: 'mp-alipay' })).toEqual(saying('platform "mp-alipay" is unknown'));
          expect(await withKey({ dcloudAppid: undefined })).toEqual(saying('dcloudAppid is missing'));
          expect(await withKey({ dcloudAppid: ' x' })).toEqual(saying('whitespace around it'));
          expect(await withKey({ dcloudAppid: '__UNI__OTHER' })).toEqual(
            refused(
              'APP_UNKNOWN',
              expect.stringContaining(`no app of ${platform} has the dcloudAppid "__UNI__OTHER"`),
            ),
          );
          expect(await withKey({ appid: 'wx-nobody' })).toEqual(refused('APP_UNKNOWN'));
          if (key['openid'] !== undefined)
            expect(await withKey({ openid: '' })).toEqual(saying('openid is empty'));
          if (key['version'] !== undefined)
            expect(await withKey({ version: 'x' })).toEqual(saying('version must be'));
        }
      }
    });

    it('a bad value and a bad life', async () => {
      const { way } = await start();
      for (const { kind, does } of cells(way, true)) {
        const [field = ''] = Object.keys(VALUES[kind]);
        expect(await does('set', { value: undefined })).toEqual(saying('value is missing'));
        expect(await does('set', { value: null })).toEqual(saying('value must be a plain object, not null'));
        expect(await does('set', { value: [VALUES[kind]] })).toEqual(saying('not an array'));
        expect(await does('set', { value: 'pushed' })).toEqual(saying('not a string'));
        expect(await does('set', { value: { ...VALUES[kind], [field]: '' } })).toEqual(
          saying(`value.${field} is empty`),
        );
        expect(await does('set', { value: {} })).toEqual(saying(`value.${field} is missing`));
        for (const expiresIn of [0, -2, '7200', null, 1e12, true])
          expect(await does('set', { expiresIn })).toEqual(saying('expiresIn'));
      }
    });

    it('kinds that make no sense there', async () => {
      const { way } = await start();
      for (const { kind, does } of cells(way, true)) {
        if (!NONE[platform]?.includes(kind)) continue;
        for (const verb of ['get', 'set', 'remove', 'update'] as const)
          expect(await does(verb)).toEqual(
            refused('CREDENTIAL_UNSUPPORTED', expect.stringContaining('weixin-h5')),
          );
      }
    });
  });
});
