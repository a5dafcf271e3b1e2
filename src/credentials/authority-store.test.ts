import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { appOf, createWorld, MP, OA, type World } from '../../test/support/world.ts';
import { BridgeError } from '../base/errors.ts';
import type { Store } from '../stores/store.ts';
import type { CredentialRef } from './credentials.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const UNI = '__UNI__ABC1234';
const BY_APPID = `uni-id:weixin-mp:${MP}:access-token`;
const BY_UNI = `uni-id:${UNI}:weixin-mp:access-token`;

const ref: CredentialRef = { app: appOf(MP, { dcloudAppid: UNI }), kind: 'access-token' };
const classic: CredentialRef = { ...ref, app: { ...ref.app, tokenMode: 'classic' } };

/** A connection of another program to the nodes' database. */
function rawConnection({ databasePath }: World): DatabaseSync {
  const raw = new DatabaseSync(databasePath);
  onTestFinished(() => raw.close());
  return raw;
}

function insertForeign(world: World, id: string, value: string, expired: number): void {
  rawConnection(world)
    .prepare('insert into "opendb-open-data" (_id, value, expired) values (?, ?, ?)')
    .run(id, value, expired);
}

/** A store that can be switched off, as when the database is away. */
function switchable(): { through: (store: Store) => Store; off: boolean; hangs: boolean } {
  const control = {
    off: false,
    hangs: false,
    through(store: Store): Store {
      const guard = <T extends object>(table: T): T =>
        new Proxy(table, {
          get(target, name) {
            const method = Reflect.get(target, name);
            if (typeof method !== 'function') return method;
            return (...args: unknown[]) =>
              control.hangs
                ? new Promise<never>(() => {})
                : control.off
                  ? Promise.reject(new BridgeError('STORE_UNAVAILABLE', 'the database is away'))
                  : method.apply(target, args);
          },
        });
      return {
        ...store,
        credentials: guard(store.credentials),
        leases: guard(store.leases),
        budgets: guard(store.budgets),
        failures: guard(store.failures),
        settings: guard(store.settings),
      };
    },
  };
  return control;
}

describe('when the store is away', () => {
  test('a usable value in memory is served until it ends, then the caller is told', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const database = switchable();
    const node = await world.node({ through: database.through });
    const first = await clock.settled(node.authority.get(ref));
    database.off = true;
    await clock.advance(HOUR);
    expect((await node.authority.get(ref)).value.reveal()).toBe(first.value.reveal());
    expect(node.log.messages('warn')).toContain(
      'the store does not answer; serving the credential in memory',
    );
    clock.jump(first.expiresAt - clock.now() - 3 * SECOND);
    expect((await node.authority.get(ref)).value.reveal()).toBe(first.value.reveal());
    await clock.settled(node.authority.idle());
    clock.jump(2 * SECOND);
    await expect(node.authority.get(ref)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(platform.counters(MP).stable.calls).toBe(1);

    database.off = false;
    await expect(clock.settled(node.authority.get(ref))).resolves.toMatchObject({ epoch: 2 });
  });

  test('a store that hangs holds callers up for half a second once, not at every call', async () => {
    const world = await createWorld();
    const { clock } = world;
    const database = switchable();
    const node = await world.node({ through: database.through });
    const first = await clock.settled(node.authority.get(ref));
    database.hangs = true;
    await clock.advance(2 * SECOND);
    const before = clock.now();
    expect((await clock.settled(node.authority.get(ref))).value.reveal()).toBe(first.value.reveal());
    expect(clock.now() - before).toBeLessThanOrEqual(600);
    expect((await node.authority.get(ref)).value.reveal()).toBe(first.value.reveal());
    expect(node.log.messages('warn')).toHaveLength(1);
  });

  test('nothing is asked of the platform for a process that knows no value', async () => {
    const world = await createWorld();
    const database = switchable();
    const node = await world.node({ through: database.through });
    database.off = true;
    await expect(node.authority.get(ref)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await node.authority.renew(ref)).toBe('failed');
    expect(await node.authority.keep(ref)).toBe('failed');
    expect(node.sent).toEqual([]);
  });

  test('a store that goes away during the call costs that call, and nothing is handed out twice', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const database = switchable();
    const node = await world.node({
      through: database.through,
      wire: upstream => ({
        ...upstream,
        async send(...call) {
          const answer = await upstream.send(...call);
          database.off = true;
          return answer;
        },
      }),
    });
    await expect(clock.settled(node.authority.get(classic))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(platform.counters(MP).classic.calls).toBe(1);
    const other = await world.node();
    await clock.advance(6 * SECOND);
    const credential = await clock.settled(other.authority.get(classic));
    expect(credential.value.reveal()).toBe(platform.state.token(MP, 'classic'));
    expect(platform.counters(MP).classic.calls).toBe(2);
  });

  test('a report is answered with the failure, not with the refused value', async () => {
    const world = await createWorld();
    const database = switchable();
    const node = await world.node({ through: database.through });
    const { value } = await world.clock.settled(node.authority.get(ref));
    database.off = true;
    const report = { fingerprint: value.fingerprint, errcode: 40001, observedBy: 'gateway' } as const;
    await expect(node.authority.report(ref, report)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});

describe('the two key formats', () => {
  test.each([
    ['appid', BY_APPID, BY_UNI],
    ['dcloudAppid', BY_UNI, BY_APPID],
  ] as const)('%s is what is written', async (keyFormat, written, other) => {
    const world = await createWorld();
    const node = await world.node({ keyFormat });
    await world.clock.settled(node.authority.get(ref));
    expect(await node.store.credentials.get(written)).toMatchObject({ id: written, epoch: 1 });
    expect(await node.store.credentials.get(other)).toBeUndefined();
  });

  test.each([
    ['appid', BY_APPID, 'dcloudAppid', BY_UNI],
    ['dcloudAppid', BY_UNI, 'appid', BY_APPID],
  ] as const)(
    'a row in the %s form serves on, and is renewed in the other form',
    async (former, old, present, fresh) => {
      const world = await createWorld();
      const { clock, platform } = world;
      const before = await world.node({ keyFormat: former });
      const node = await world.node({ keyFormat: present });
      const first = await clock.settled(before.authority.get(ref));
      expect((await node.authority.get(ref)).value.reveal()).toBe(first.value.reveal());
      expect(platform.counters(MP).stable.calls).toBe(1);

      const { renewAt = 0 } = await node.authority.status(ref);
      await clock.advance(Math.ceil(renewAt) - clock.now());
      expect(await clock.settled(node.authority.renew(ref))).toBe('renewed');
      const second = await node.authority.get(ref);
      expect(second.epoch).toBe(2);
      expect(second.value.reveal()).toBe(platform.state.token(MP, 'stable'));
      expect(await node.store.credentials.get(fresh)).toMatchObject({ epoch: 2 });
      expect(platform.counters(MP).stable.calls).toBe(2);

      const rest = await node.store.credentials.due(clock.now() + 24 * HOUR, 10);
      expect(rest.map(row => row.id)).toEqual([fresh]);
      expect(await node.store.credentials.get(old)).toMatchObject({ epoch: 1 });
    },
  );

  test('processes with different formats still exclude each other', async () => {
    const world = await createWorld();
    const a = await world.node({ keyFormat: 'appid' });
    const b = await world.node({ keyFormat: 'dcloudAppid' });
    const [one, two] = await world.clock.settled(Promise.all([a.authority.get(ref), b.authority.get(ref)]));
    expect(one.value.reveal()).toBe(two.value.reveal());
    expect(world.platform.counters(MP).stable.calls).toBe(1);
  });
});

describe('rows that others wrote', () => {
  test("uniCloud's is used to its end, then replaced by ours", async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const end = clock.now() + HOUR;
    insertForeign(world, BY_APPID, '{"access_token":"from-unicloud"}', end);
    expect(await node.authority.get(ref)).toMatchObject({ epoch: 0, expiresAt: end });
    clock.jump(HOUR - 601 * SECOND);
    expect((await node.authority.get(ref)).value.reveal()).toBe('from-unicloud');
    await clock.settled(node.authority.idle());
    expect(platform.counters(MP).stable.calls).toBe(0);
    clock.jump(602 * SECOND);
    const ours = await clock.settled(node.authority.get(ref));
    expect(ours.value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(ours.epoch).toBe(1);
    const row = rawConnection(world).prepare('select value from "opendb-open-data"').get();
    expect(String(row?.['value'])).toMatch(/^sealed:v1:/);
  });

  test("uniCloud's is renewed behind the caller's back before it ends", async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    insertForeign(world, BY_APPID, '{"access_token":"from-unicloud"}', clock.now() + HOUR);
    clock.jump(HOUR - 200 * SECOND);
    expect((await node.authority.get(ref)).value.reveal()).toBe('from-unicloud');
    await clock.settled(node.authority.idle());
    expect((await node.authority.get(ref)).value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(platform.counters(MP).stable.calls).toBe(1);
  });

  test('one that never ends is used for as long as nobody reports it', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    insertForeign(world, BY_APPID, '{"access_token":"for-ever"}', -1);
    clock.jump(1000 * HOUR);
    const { value, expiresAt } = await node.authority.get(ref);
    expect(value.reveal()).toBe('for-ever');
    expect(expiresAt).toBe(Number.POSITIVE_INFINITY);
    const report = { fingerprint: value.fingerprint, errcode: 40001, observedBy: 'gateway' } as const;
    const outcome = await clock.settled(node.authority.report(ref, report));
    expect(outcome.credential.value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(outcome).toMatchObject({ outcome: 'renewed', credential: { epoch: 1 } });
  });

  test.each([
    '',
    'not json',
    'null',
    '[]',
    '42',
    '{}',
    '{"access_token":""}',
    '{"access_token":5}',
    '{"ticket":"T"}',
  ])('the value %j counts as missing and is replaced by one call', async value => {
    const world = await createWorld();
    const { clock, platform } = world;
    const [a, b] = await world.nodes(2);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    insertForeign(world, BY_APPID, value, clock.now() + HOUR);
    const [one, two] = await clock.settled(Promise.all([a.authority.get(ref), b.authority.get(ref)]));
    expect(one.value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(two.value.reveal()).toBe(one.value.reveal());
    expect(platform.counters(MP).stable.calls).toBe(1);
  });

  test('one of ours that was damaged is replaced by one call, and its epoch goes on', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    await clock.settled(node.authority.get(classic));
    await clock.settled(node.authority.rotate(classic));
    rawConnection(world).exec(`update "opendb-open-data" set value = 'damaged'`);
    const other = await world.node();
    const { value, epoch } = await clock.settled(other.authority.get(classic));
    expect(value.reveal()).toBe(platform.state.token(MP, 'classic'));
    expect(epoch).toBe(3);
    expect(platform.counters(MP).classic.calls).toBe(3);
  });

  test('one whose seal does not open says what to do, and costs no call', async () => {
    const world = await createWorld();
    const node = await world.node();
    insertForeign(world, BY_APPID, 'sealed:v1:00000000:AAAA', world.clock.now() + HOUR);
    const error = await world.clock.settled(node.authority.get(ref).catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code: 'SEAL_BROKEN', message: expect.stringContaining('00000000') });
    expect(everythingAbout(error)).toContain('storage.sealKey');
    expect(node.sent).toEqual([]);
  });

  test('a row of another appid under the same key is never handed out', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    // The company replaces its mini program, but keeps the DCloud application.
    platform.addAccount({ appid: 'wx-successor', secret: 'secret-of-wx-successor', type: 'mp' });
    const successor: CredentialRef = {
      app: appOf('wx-successor', { platform: 'weixin-mp', dcloudAppid: UNI }),
      kind: 'access-token',
    };
    const node = await world.node({ keyFormat: 'dcloudAppid' });
    await clock.settled(node.authority.get(ref));
    const other = await world.node({ keyFormat: 'dcloudAppid' });
    const { value, epoch } = await clock.settled(other.authority.get(successor));
    expect(value.reveal()).toBe(platform.state.token('wx-successor', 'stable'));
    expect(epoch).toBe(2);
    expect(platform.counters('wx-successor').stable.calls).toBe(1);
  });
});

describe('a row that was removed', () => {
  test('is replaced, and the value before it is not handed out again', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    await clock.settled(node.authority.get(classic));
    await clock.settled(node.authority.rotate(classic));
    expect(await node.store.credentials.remove(BY_APPID)).toBe(true);
    await clock.advance(SECOND);
    const fresh = await clock.settled(node.authority.get(classic));
    expect(fresh.value.reveal()).toBe(platform.state.token(MP, 'classic'));
    for (let turn = 0; turn < 5; turn += 1) {
      await clock.advance(500);
      expect((await node.authority.get(classic)).value.reveal()).toBe(fresh.value.reveal());
    }
    expect(platform.counters(MP).classic.calls).toBe(3);
  });

  test('by another process, and issued anew there, is taken over from there', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const [a, b] = await world.nodes(2);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    await clock.settled(a.authority.get(classic));
    await clock.settled(a.authority.rotate(classic));
    await a.authority.get(classic);
    await b.store.credentials.remove(BY_APPID);
    await clock.advance(10);
    const fresh = await clock.settled(b.authority.get(classic));
    await clock.advance(SECOND);
    expect((await a.authority.get(classic)).value.reveal()).toBe(fresh.value.reveal());
    expect(platform.counters(MP).classic.calls).toBe(3);
  });

  test('costs one call again when the value in memory has ended too', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    for (const _ of [1, 2, 3, 4]) {
      await clock.settled(node.authority.rotate(classic).catch(() => {}));
      await clock.settled(node.authority.get(classic));
    }
    const before = platform.counters(MP).classic.calls;
    await node.store.credentials.remove(BY_APPID);
    clock.jump(3 * HOUR);
    for (let turn = 0; turn < 5; turn += 1) await clock.settled(node.authority.get(classic));
    expect(platform.counters(MP).classic.calls).toBe(before + 1);
  });
});

describe('what is told of a credential', () => {
  test('before, after and in between', async () => {
    const world = await createWorld();
    const { clock } = world;
    const node = await world.node();
    const none = { fingerprint: undefined, epoch: 0, issuedAt: undefined, expiresAt: undefined };
    expect(await node.authority.status(ref)).toMatchObject({ ref, ...none, failure: undefined });
    const { value, issuedAt, expiresAt } = await clock.settled(node.authority.get(ref));
    const status = await node.authority.status(ref);
    expect(status).toMatchObject({ fingerprint: value.fingerprint, epoch: 1, issuedAt, expiresAt });
    expect(status.renewAt).toBeGreaterThan(issuedAt);
    expect(JSON.stringify(status)).not.toContain(value.reveal());
  });

  test('keep issues what is missing and puts what is there under renewal', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const asked: CredentialRef = { app: appOf(OA, { renews: [] }), kind: 'access-token' };
    expect(await clock.settled(node.authority.keep(ref))).toBe('fresh');
    expect(platform.counters(MP).stable.calls).toBe(1);
    await clock.settled(node.authority.get(asked));
    const due = async (): Promise<string[]> =>
      (await node.store.credentials.due(clock.now() + 3 * HOUR, 10)).map(row => row.appid);
    expect(await due()).toEqual([MP]);
    expect(await node.authority.keep({ ...asked, app: appOf(OA) })).toBe('fresh');
    expect((await due()).sort()).toEqual([MP, OA]);
    expect(platform.counters(OA).stable.calls).toBe(1);
  });

  test('keep adopts what uniCloud wrote, and what the other key form holds', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const before = await world.node({ keyFormat: 'dcloudAppid' });
    const first = await clock.settled(before.authority.get(ref));
    const ticketRef: CredentialRef = { app: appOf(OA), kind: 'ticket' };
    const ticketId = `uni-id:weixin-h5:${OA}:ticket`;
    insertForeign(world, ticketId, '{"ticket":"from-unicloud"}', clock.now() + HOUR);
    const node = await world.node();
    expect(await node.authority.keep(ref)).toBe('fresh');
    expect(await node.authority.keep(ticketRef)).toBe('fresh');
    const due = await node.store.credentials.due(clock.now() + 3 * HOUR, 10);
    expect(due.map(({ id }) => id).sort()).toEqual([BY_APPID]);
    expect(await node.store.credentials.get(ticketId)).toMatchObject({
      appid: OA,
      kind: 'ticket',
      epoch: 1,
      expiresAt: clock.now() + HOUR,
    });
    const kept = await node.authority.get(ref);
    expect(kept).toMatchObject({ epoch: 1, issuedAt: first.issuedAt, expiresAt: first.expiresAt });
    expect(kept.value.reveal()).toBe(first.value.reveal());
    expect(platform.counters(MP).stable.calls).toBe(1);
    expect(platform.counters(OA).calls).toEqual({});
  });
});
