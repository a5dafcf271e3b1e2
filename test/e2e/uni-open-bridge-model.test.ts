import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Fallback, OpenBridge } from '../../src/common/index.ts';
import { type BridgeKind, methodFor } from '../../src/common/methods.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import {
  configuredApps,
  DCLOUD,
  httpWay,
  libraryWay,
  outcomeOf,
  type Stage,
  startStage,
  type Way,
} from './uni-open-bridge.fixture.ts';

/** Every credential the sequences are about. */
const CREDENTIALS: readonly { readonly kind: BridgeKind; readonly key: Readonly<Record<string, unknown>> }[] =
  [
    ...['weixin-mp', 'weixin-h5', 'qq-mp'].map(platform => ({
      kind: 'access-token' as const,
      key: { platform },
    })),
    ...['weixin-h5', 'weixin-web'].map(platform => ({ kind: 'ticket' as const, key: { platform } })),
    ...['o1', 'o2'].flatMap(openid => [
      { kind: 'user-access-token' as const, key: { platform: 'weixin-h5', openid } },
      { kind: 'session-key' as const, key: { platform: 'weixin-mp', openid } },
      ...[1, 2].map(version => ({
        kind: 'encrypt-key' as const,
        key: { platform: 'weixin-mp', openid, version },
      })),
    ]),
  ].map(({ kind, key }) => ({ kind, key: { dcloudAppid: DCLOUD, ...key } }));

type Step =
  | {
      readonly type: 'set';
      readonly at: number;
      readonly text: string;
      readonly expiresIn: number | undefined;
    }
  | { readonly type: 'get'; readonly at: number; readonly obtain: boolean; readonly detail: boolean }
  | {
      readonly type: 'fallback';
      readonly at: number;
      readonly text: string | null;
      readonly duration: number | undefined;
    }
  | { readonly type: 'remove'; readonly at: number }
  | { readonly type: 'faulty'; readonly at: number; readonly input: object; readonly key: object }
  | { readonly type: 'wait'; readonly ms: number };

const at = fc.nat({ max: CREDENTIALS.length - 1 });
const text = fc.constantFrom('red', 'green', 'blue');
const life = fc.constantFrom(undefined, -1, 0.5, 1, 30, 59.999, 7200);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('set' as const), at, text, expiresIn: life }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('get' as const),
      at,
      obtain: fc.boolean(),
      detail: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('fallback' as const),
      at,
      text: fc.option(text),
      duration: life,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('remove' as const), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ type: fc.constant('faulty' as const), at },
      input: fc.constantFrom<object>({ expiresIn: 0 }, { value: null }, { value: {} }, { expiresIn: '60' }),
      key: fc.constantFrom<object>(
        {},
        { platform: 'mp-weixin' },
        { dcloudAppid: 'nobody' },
        { appid: 'wx-nobody' },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 499, 500, 999, 1000, 29_999, 60_000, 7_200_000),
    }),
  },
);

/** A value looked at just before its end, at it, and just after. */
const boundary: fc.Arbitrary<readonly Step[]> = fc
  .record({
    at,
    text,
    expiresIn: fc.constantFrom(0.5, 1, 30, 7200),
    ms: fc.constantFrom(-1, 0, 1),
    detail: fc.boolean(),
  })
  .map(({ at: credential, text: word, expiresIn, ms, detail }) => [
    { type: 'set', at: credential, text: word, expiresIn },
    { type: 'wait', ms: expiresIn * 1000 + ms },
    { type: 'get', at: credential, obtain: true, detail },
  ]);

const sequence = fc
  .array(fc.oneof({ weight: 5, arbitrary: step.map(each => [each]) }, { weight: 1, arbitrary: boundary }), {
    ...{ minLength: 5, maxLength: 50 },
  })
  .map(parts => parts.flat());

function valueFor(kind: BridgeKind, word: string): Record<string, string> {
  switch (kind) {
    case 'session-key':
      return { session_key: word };
    case 'encrypt-key':
      return { encrypt_key: word, iv: `iv of ${word}` };
    case 'ticket':
      return { ticket: word };
    default:
      return { access_token: word, note: 'kept' };
  }
}

/** What a credential store is, without any of what makes it one. */
function createModel(now: () => number) {
  const stored = new Map<number, { readonly value: object; readonly expiresAt: number }>();
  const set = (credential: number, value: object, expiresIn = -1): void => {
    const expiresAt = expiresIn === -1 ? Number.POSITIVE_INFINITY : now() + Math.floor(expiresIn * 1000);
    stored.set(credential, { value, expiresAt });
  };
  const read = (credential: number): object => {
    const held = stored.get(credential);
    if (held !== undefined && now() < held.expiresAt) {
      const left = Number.isFinite(held.expiresAt) ? Math.floor((held.expiresAt - now()) / 1000) : -1;
      return { value: held.value, expiresIn: left, state: 'usable' };
    }
    const ended = held !== undefined && CREDENTIALS[credential]?.kind === 'user-access-token';
    return { value: null, expiresIn: null, state: ended ? 'login-required' : 'absent' };
  };
  return { set, read, remove: (credential: number) => void stored.delete(credential) };
}

/** A way in which a fallback is also known to plain HTTP: whoever calls it does what the library does. */
interface Party extends Way {
  withFallback(kind: BridgeKind, key: object, fallback: Fallback): Promise<unknown>;
}

function libraryParty(name: 'embedded' | 'remote', bridge: OpenBridge): Party {
  return {
    ...libraryWay(name, bridge),
    withFallback(kind, key, fallback) {
      const get = bridge[methodFor({ verb: 'get', kind })] as (...input: unknown[]) => Promise<unknown>;
      return get(key, fallback);
    },
  };
}

function httpParty(stage: Stage): Party {
  const way = httpWay(stage.control);
  return {
    ...way,
    async withFallback(kind, key, fallback) {
      const found = await way.call(methodFor({ verb: 'get', kind }), key, { obtain: false });
      if (found !== null) return found;
      const { value, duration } = await fallback(key);
      if (value !== null && duration !== undefined)
        await way.call(methodFor({ verb: 'set', kind }), key, { value, expiresIn: duration });
      return value;
    },
  };
}

async function play(party: Party, step: Exclude<Step, { type: 'wait' }>): Promise<unknown> {
  const { kind, key } = CREDENTIALS[step.at] ?? { kind: 'access-token', key: {} };
  switch (step.type) {
    case 'set':
      return party.call(methodFor({ verb: 'set', kind }), key, {
        value: valueFor(kind, step.text),
        ...(step.expiresIn !== undefined && { expiresIn: step.expiresIn }),
      });
    case 'get':
      return party.call(methodFor({ verb: 'get', kind }), key, { obtain: step.obtain, detail: step.detail });
    case 'fallback': {
      const { text: word, duration } = step;
      return party.withFallback(kind, key, async () => ({
        value: word === null ? null : valueFor(kind, word),
        duration,
      }));
    }
    case 'remove':
      return party.call(methodFor({ verb: 'remove', kind }), key);
    case 'faulty':
      return party.call(
        methodFor({ verb: 'set', kind }),
        { ...key, ...step.key },
        { value: valueFor(kind, 'black'), ...step.input },
      );
  }
}

/** What the model says that a step comes to; undefined when it says no more than that all do the same. */
function expected(model: ReturnType<typeof createModel>, step: Exclude<Step, { type: 'wait' }>): unknown {
  const { kind } = CREDENTIALS[step.at] ?? { kind: 'access-token' };
  const read = model.read(step.at) as { readonly value: object | null };
  switch (step.type) {
    case 'set':
      model.set(step.at, valueFor(kind, step.text), step.expiresIn);
      return { gave: undefined };
    case 'get':
      return { gave: step.detail ? expect.objectContaining(read) : read.value };
    case 'fallback': {
      if (read.value !== null) return { gave: read.value };
      const value = step.text === null ? null : valueFor(kind, step.text);
      if (value !== null && step.duration !== undefined) model.set(step.at, value, step.duration);
      return { gave: value };
    }
    case 'remove':
      model.remove(step.at);
      return { gave: undefined };
    case 'faulty':
      return {
        errCode: expect.anything(),
        errMsg: expect.any(String),
        reason: expect.stringMatching(/^(REQUEST_MALFORMED|APP_UNKNOWN)$/),
      };
  }
}

/** Three bridges with databases of their own, of a team that fetches its credentials itself. */
async function startParties(clock: ManualClock): Promise<readonly Party[]> {
  const change = { managed: false, secret: undefined };
  const apps = configuredApps(
    Object.fromEntries(['shop', 'news', 'site', 'qshop'].map(name => [name, change])),
  );
  const [first, second, third] = [
    await startStage({ clock, config: { apps } }),
    await startStage({ clock, config: { apps } }),
    await startStage({ clock, config: { apps } }),
  ];
  return [
    libraryParty('embedded', await first.embedded()),
    libraryParty('remote', second.remote()),
    httpParty(third),
  ];
}

it('the library in a process, the library before a bridge and plain HTTP do the same, and what a simple model does', async () => {
  const clock = manualClock();
  const parties = await startParties(clock);
  await fc.assert(
    fc.asyncProperty(sequence, async steps => {
      const model = createModel(clock.now);
      for (const party of parties)
        for (const { kind, key } of CREDENTIALS) await party.call(methodFor({ verb: 'remove', kind }), key);
      for (const each of steps) {
        if (each.type === 'wait') {
          clock.jump(each.ms);
          continue;
        }
        const outcomes: unknown[] = [];
        for (const party of parties) outcomes.push(await outcomeOf(play(party, each)));
        expect(outcomes[0]).toEqual(expected(model, each));
        for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0]);
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);
