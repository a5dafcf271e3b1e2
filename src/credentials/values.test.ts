import { describe, expect, test } from 'vitest';
import type { Node } from '../../test/support/world.ts';
import type { CredentialRef } from './credentials.ts';
import { APPS, asked, HOUR, MINUTE, userRef, userWorld } from './users.fixture.ts';

const TOKEN = '/cgi-bin/stable_token';
const token: CredentialRef = { app: APPS['weixin-mp'], kind: 'access-token' };
const pushed: CredentialRef = {
  app: { ...APPS['weixin-mp'], managed: false, secret: undefined },
  kind: 'access-token',
};

describe('a token of a managed app', () => {
  test('is had from the platform when there is none, once for 1000 who ask', async () => {
    const { first, clock, platform } = await userWorld();
    const readings = await clock.settled(
      Promise.all(Array.from({ length: 1000 }, () => first.values.get(token))),
    );
    const access_token = platform.state.token(token.app.appid, 'stable');
    expect(readings.every(reading => reading.state === 'usable')).toBe(true);
    expect(readings[0]).toMatchObject({ value: { access_token } });
    expect(asked(first, TOKEN)).toBe(1);
  });

  test('is not had from the platform when that is not wanted', async () => {
    const { first } = await userWorld();
    expect(await first.values.get(token, { obtain: false })).toEqual({ state: 'absent' });
    expect(first.sent).toHaveLength(0);
  });

  test('that was set from outside serves everyone, other fields included, until its end', async () => {
    const { first, clock, nodes } = await userWorld();
    await clock.settled(first.values.get(token));
    await first.values.set(token, { access_token: 'from-outside', note: 'kept' }, clock.now() + HOUR);
    const [second] = await nodes(1);
    for (const node of [first, second]) {
      expect(await node?.values.get(token)).toEqual({
        state: 'usable',
        value: { access_token: 'from-outside', note: 'kept' },
        expiresAt: clock.now() + HOUR,
      });
      expect((await node?.authority.get(token))?.value.reveal()).toBe('from-outside');
    }
    await clock.advance(HOUR);
    expect(await clock.settled(first.values.get(token))).toMatchObject({ state: 'usable' });
    expect((await first.authority.get(token)).value.reveal()).not.toBe('from-outside');
  });

  test('that was set is seen by another node within a second', async () => {
    const { first, clock, nodes } = await userWorld();
    const [second] = await nodes(1);
    await clock.settled(second?.values.get(token) ?? Promise.reject());
    await first.values.set(token, { access_token: 'from-outside' }, clock.now() + HOUR);
    await clock.advance(1000);
    expect(await second?.values.get(token)).toMatchObject({ value: { access_token: 'from-outside' } });
  });

  test('never expires when it was set so', async () => {
    const { first, clock } = await userWorld();
    await first.values.set(token, { access_token: 'for-ever' }, Number.POSITIVE_INFINITY);
    await clock.advance(1000 * 24 * HOUR);
    expect(await first.values.get(token)).toMatchObject({
      value: { access_token: 'for-ever' },
      expiresAt: Number.POSITIVE_INFINITY,
    });
  });

  test('is had anew after it was removed, and is gone for other nodes within a second', async () => {
    const { first, clock, nodes, platform } = await userWorld();
    const [second] = await nodes(1);
    await clock.settled(first.values.get(token));
    await clock.settled(second?.values.get(token) ?? Promise.reject());
    expect(await first.values.remove(token)).toBe(true);
    expect(await first.values.get(token, { obtain: false })).toEqual({ state: 'absent' });
    await clock.advance(1000);
    expect(await second?.values.get(token, { obtain: false })).toEqual({ state: 'absent' });
    const access_token = platform.state.token(token.app.appid, 'stable');
    expect(await clock.settled(first.values.get(token))).toMatchObject({ value: { access_token } });
  });

  test('is asked for anew by update, which is not forced', async () => {
    const { first, clock, platform } = await userWorld();
    const before = await clock.settled(first.values.get(token));
    await clock.settled(first.values.update(token));
    expect(await first.values.get(token)).toMatchObject({ value: before.state === 'usable' && before.value });
    expect(platform.counters(token.app.appid).stable).toMatchObject({ calls: 2, forced: 0 });
    const classic = { ...token, app: { ...token.app, tokenMode: 'classic' as const } };
    await clock.settled(first.values.update(classic));
    expect(await first.values.get(classic)).toMatchObject({
      value: { access_token: platform.state.token(token.app.appid, 'classic') },
    });
  });

  test('without the field that its kind has is refused, and what was there stays', async () => {
    const { first, clock } = await userWorld();
    await first.values.set(token, { access_token: 'good' }, clock.now() + HOUR);
    for (const value of [{}, { ticket: 'x' }, { access_token: '' }, { access_token: 7 }]) {
      await expect(first.values.set(token, value, clock.now() + HOUR)).rejects.toMatchObject({
        code: 'REQUEST_MALFORMED',
      });
    }
    expect(await first.values.get(token)).toMatchObject({ value: { access_token: 'good' } });
  });

  test('is written by many at once without any being lost halfway', async () => {
    const { first, clock, nodes } = await userWorld();
    const all = [first, ...(await nodes(3))];
    await clock.settled(
      Promise.all(
        all.flatMap((node, at) =>
          Array.from({ length: 4 }, (_, round) =>
            node.values.set(token, { access_token: `${at}-${round}` }, clock.now() + HOUR),
          ),
        ),
      ),
    );
    await clock.advance(1000);
    const last = await first.values.get(token);
    for (const node of all) expect(await node.values.get(token)).toEqual(last);
    const row = await first.store.credentials.get(`uni-id:weixin-mp:${token.app.appid}:access-token`);
    expect(row?.epoch).toBe(16);
  });
});

test('a read that began before a write and ends after it does not bring the old value back', async () => {
  const { node, clock } = await userWorld();
  let holdBack: Promise<void> | undefined;
  const { values } = await node({
    through: store => ({
      ...store,
      credentials: {
        ...store.credentials,
        async get(id) {
          const row = await store.credentials.get(id);
          const held = holdBack;
          holdBack = undefined;
          await held;
          return row;
        },
      },
    }),
  });
  const session = userRef(APPS['weixin-mp'], 'session-key', 'oLate');
  await values.set(session, { session_key: 'old' }, Number.POSITIVE_INFINITY);
  await clock.advance(1500);
  const late = Promise.withResolvers<void>();
  holdBack = late.promise;
  const reading = values.get(session);
  await values.set(session, { session_key: 'new' }, Number.POSITIVE_INFINITY);
  late.resolve();
  await reading;
  expect(await values.get(session)).toMatchObject({ value: { session_key: 'new' } });
});

test('a crowd that writes one value at once is served in turn, and the last one stands', async () => {
  const { first, clock } = await userWorld();
  const session = userRef(APPS['weixin-mp'], 'session-key', 'oCrowd');
  const writes = Array.from({ length: 200 }, (_, number) => [
    first.values.set(session, { session_key: `${number}` }, clock.now() + HOUR),
    first.values.set(token, { access_token: `${number}` }, clock.now() + HOUR),
  ]).flat();
  await clock.settled(Promise.all(writes));
  expect(await first.values.get(session)).toMatchObject({ value: { session_key: '199' } });
  expect(await first.values.get(token)).toMatchObject({ value: { access_token: '199' } });
});

describe('a token of an app that is not managed here', () => {
  test('is never asked for, renewed or replaced', async () => {
    const { first, clock } = await userWorld();
    expect(await first.values.get(pushed)).toEqual({ state: 'absent' });
    await expect(first.authority.get(pushed)).rejects.toMatchObject({
      code: 'CREDENTIAL_UNAVAILABLE',
      hint: expect.stringContaining('push'),
    });
    await first.values.set(pushed, { access_token: 'theirs' }, clock.now() + HOUR);
    const { value } = await first.authority.get(pushed);
    expect(value.reveal()).toBe('theirs');
    const report = await first.authority.report(pushed, {
      fingerprint: value.fingerprint,
      errcode: 40001,
      observedBy: 'gateway',
    });
    expect(report).toMatchObject({ outcome: 'kept', reason: expect.stringContaining('push') });
    expect(await first.authority.renew(pushed)).toBe('fresh');
    expect(await first.authority.keep(pushed)).toBe('fresh');
    for (const act of [() => first.authority.rotate(pushed), () => first.values.update(pushed)])
      await expect(act()).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
    expect(first.sent).toHaveLength(0);
  });

  test('serves to its very end', async () => {
    const { first, clock } = await userWorld();
    const endsAt = clock.now() + 10 * MINUTE;
    await first.values.set(pushed, { access_token: 'theirs' }, endsAt);
    await clock.advance(10 * MINUTE - 1);
    expect(await first.values.get(pushed)).toMatchObject({ state: 'usable' });
    await clock.advance(1);
    expect(await first.values.get(pushed)).toEqual({ state: 'absent' });
    await expect(first.authority.get(pushed)).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
  });
});

describe('kinds and names', () => {
  test('a ticket of a mini program makes no sense', async () => {
    const { first, clock } = await userWorld();
    const ref: CredentialRef = { app: APPS['weixin-mp'], kind: 'ticket' };
    for (const act of [
      () => first.values.get(ref),
      () => first.values.set(ref, { ticket: 'x' }, clock.now() + HOUR),
      () => first.values.remove(ref),
      () => first.values.update(ref),
    ]) {
      await expect(act()).rejects.toMatchObject({
        code: 'CREDENTIAL_UNSUPPORTED',
        hint: expect.stringContaining('weixin-h5'),
      });
    }
  });

  test('website and mobile apps keep what is pushed in', async () => {
    const { first, clock } = await userWorld();
    for (const platform of ['weixin-web', 'weixin-app'] as const) {
      const ref: CredentialRef = { app: APPS[platform], kind: 'access-token' };
      expect(await first.values.get(ref)).toEqual({ state: 'absent' });
      await first.values.set(ref, { access_token: platform }, clock.now() + HOUR);
      expect(await first.values.get(ref)).toMatchObject({ value: { access_token: platform } });
    }
    expect(first.sent).toHaveLength(0);
  });

  test('a user credential needs its user, an app credential has none', async () => {
    const { first } = await userWorld();
    await expect(first.values.get({ ...token, kind: 'session-key' })).rejects.toMatchObject({
      code: 'REQUEST_MALFORMED',
    });
    await expect(first.values.get({ ...token, openid: 'o-alice' })).rejects.toMatchObject({
      code: 'REQUEST_MALFORMED',
    });
  });

  test.each([
    ['dcloudAppid', 'uni-id:__UNI__CANARY:weixin-mp:'],
    ['appid', `uni-id:weixin-mp:${APPS['weixin-mp'].appid}:`],
  ] as const)('values are kept under the documented keys by %s', async (keyFormat, prefix) => {
    const { node, clock } = await userWorld();
    const { values, store } = await node({ keyFormat });
    const app = APPS['weixin-mp'];
    const never = Number.POSITIVE_INFINITY;
    await values.set(token, { access_token: 'a' }, clock.now() + HOUR);
    await values.set(userRef(app, 'session-key', 'oA-1'), { session_key: 'k' }, never);
    await values.set(userRef(app, 'encrypt-key', 'oA-1', 10), { encrypt_key: 'e', iv: 'i' }, never);
    await values.set(userRef(app, 'user-access-token', 'oA-1'), { access_token: 'u' }, never);
    expect((await store.credentials.scan(10)).map(({ id }) => id)).toEqual([
      `${prefix}access-token`,
      `${prefix}oA-1:encrypt-key-10`,
      `${prefix}oA-1:session-key`,
      `${prefix}oA-1:user-access-token`,
    ]);
  });

  test('a row that uniCloud wrote is read in either key form, and the next write is ours', async () => {
    const { first } = await userWorld();
    const app = APPS['weixin-mp'];
    const id = `uni-id:weixin-mp:${app.appid}:oBob:session-key`;
    await first.store.credentials.commit(
      {
        id,
        value: '{"session_key":"from-unicloud"}',
        expiresAt: Number.POSITIVE_INFINITY,
        ...{ platform: undefined, appid: undefined, kind: undefined, epoch: 0, issuedAt: undefined },
        ...{ renewAt: undefined, background: false, fingerprint: undefined, previous: undefined },
      },
      0,
    );
    const ref = userRef(app, 'session-key', 'oBob');
    expect(await first.values.get(ref)).toMatchObject({ value: { session_key: 'from-unicloud' } });
    await first.values.set(ref, { session_key: 'ours' }, Number.POSITIVE_INFINITY);
    expect(await first.values.get(ref)).toMatchObject({ value: { session_key: 'ours' } });
    expect(await first.values.remove(ref)).toBe(true);
    expect(await first.values.get(ref)).toEqual({ state: 'absent' });
  });
});

test('a get at any moment around the end never fails and never serves what has ended', async () => {
  const { first, clock, platform } = await userWorld();
  for (let moment = 0; moment < 400; moment += 1) {
    const reading = await clock.settled(first.values.get(token));
    if (reading.state !== 'usable') throw new Error(reading.state);
    expect(reading.expiresAt).toBeGreaterThan(clock.now());
    expect(platform.state.verdict(String(reading.value['access_token']))).toBe(0);
    // Close to the end of the life, or just over it, at another place each time.
    const ahead = reading.expiresAt - clock.now();
    await clock.advance(Math.max(1, ahead > 4000 ? ahead - 3000 + (moment % 97) * 41 : 700));
  }
});

test.each([
  ['session-key', 'session_key'],
  ['access-token', 'access_token'],
] as const)(
  'a %s that is set again in the moment in which another process removed it is not taken for an older one',
  async (kind, field) => {
    const { first, nodes, clock } = await userWorld();
    const [second] = await nodes(1);
    if (second === undefined) throw new Error('no node');
    const app = APPS['weixin-mp'];
    const key = kind === 'session-key' ? userRef(app, kind, 'oUser') : { app, kind };
    const set = (on: Node, value: string): Promise<void> =>
      clock.settled(on.values.set(key, { [field]: value }, Number.POSITIVE_INFINITY));
    await set(first, 'one');
    await set(second, 'two');
    await clock.settled(first.values.remove(key));
    await set(second, 'three');
    expect(await clock.settled(second.values.get(key))).toMatchObject({ value: { [field]: 'three' } });
  },
);
