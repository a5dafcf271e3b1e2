import { describe, expect, test } from 'vitest';
import { appOf, createWorld, MP, type Node, OA, type World } from '../../test/support/world.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { CredentialRef, RefusalReport, ReportOutcome } from './credentials.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const ref: CredentialRef = { app: appOf(MP), kind: 'access-token' };
const classic: CredentialRef = { app: appOf(MP, { tokenMode: 'classic' }), kind: 'access-token' };

const refused = (
  fingerprint: string,
  observedBy: RefusalReport['observedBy'] = 'gateway',
  errcode = 40001,
): RefusalReport => ({ fingerprint, errcode, observedBy });

function report(world: World, node: Node, on: CredentialRef, what: RefusalReport): Promise<ReportOutcome> {
  return world.clock.settled(node.authority.report(on, what));
}

async function started(on: CredentialRef = ref) {
  const world = await createWorld();
  const node = await world.node();
  const first = await world.clock.settled(node.authority.get(on));
  const calls = (): number =>
    world.platform.counters(MP).stable.calls + world.platform.counters(MP).classic.calls;
  return { world, clock: world.clock, platform: world.platform, node, first, calls };
}

describe('a revoked token', () => {
  test.each([40001, 40014, 42001])(
    'reported with %i is replaced by one call, without force',
    async errcode => {
      const { world, platform, node, first, calls } = await started();
      platform.revoke(MP);
      const outcome = await report(world, node, ref, refused(first.value.fingerprint, 'gateway', errcode));
      expect(outcome).toMatchObject({ outcome: 'renewed', reason: undefined, credential: { epoch: 2 } });
      expect(outcome.credential.value.reveal()).toBe(platform.state.token(MP, 'stable'));
      expect(calls()).toBe(2);
      expect(platform.counters(MP).stable.forced).toBe(0);
      expect((await node.authority.get(ref)).value.reveal()).toBe(outcome.credential.value.reveal());
    },
  );

  test('on the word of a caller is replaced too', async () => {
    const { world, platform, node, first, calls } = await started();
    platform.revoke(MP);
    const outcome = await report(world, node, ref, refused(first.value.fingerprint, 'caller'));
    expect(outcome).toMatchObject({ outcome: 'renewed', credential: { epoch: 2 } });
    expect(calls()).toBe(2);
  });

  test('does not live on as the previous value', async () => {
    const { world, platform, node, first } = await started(classic);
    platform.revoke(MP);
    await report(world, node, classic, refused(first.value.fingerprint));
    const row = await node.store.credentials.get(`uni-id:weixin-mp:${MP}:access-token`);
    expect(row?.previous).toBeUndefined();
  });

  test.each([
    ['stable', ref],
    ['classic', classic],
  ])('reported 100 times at once by three processes costs one %s call', async (_, on) => {
    const { world, clock, platform, node, first, calls } = await started(on);
    const nodes = [node, ...(await world.nodes(2))];
    for (const each of nodes) await each.authority.get(on);
    platform.revoke(MP);
    const outcomes = await clock.settled(
      Promise.all(
        Array.from({ length: 100 }, (_, turn) =>
          nodes[turn % 3]?.authority.report(
            on,
            refused(first.value.fingerprint, turn % 2 === 0 ? 'gateway' : 'caller'),
          ),
        ),
      ),
    );
    expect(calls()).toBe(2);
    expect(platform.counters(MP).stable.forced).toBe(0);
    const values = new Set(outcomes.map(outcome => outcome?.credential.value.reveal()));
    expect(values).toEqual(new Set([platform.state.token(MP, on.app.tokenMode)]));
    expect(outcomes.filter(outcome => outcome?.outcome === 'kept')).toEqual([]);
  });

  test('reported by two processes at the due time of its renewal costs one call', async () => {
    const { world, clock, platform, node, first, calls } = await started();
    const other = await world.node();
    await clock.advance(6970 * SECOND);
    platform.revoke(MP);
    await clock.settled(
      Promise.all([
        node.authority.renew(ref),
        other.authority.report(ref, refused(first.value.fingerprint)),
        other.authority.renew(ref),
        node.authority.report(ref, refused(first.value.fingerprint)),
      ]),
    );
    expect(calls()).toBe(2);
  });

  test('that every new token shares its fate is tried once a second at most', async () => {
    const { world, clock, platform, node, calls } = await started();
    for (let turn = 0; turn < 50; turn += 1) {
      const { value } = await clock.settled(node.authority.get(ref));
      platform.revoke(MP);
      await report(world, node, ref, refused(value.fingerprint));
      await clock.advance(100);
    }
    expect(calls()).toBeLessThanOrEqual(1 + 6);
    expect(calls()).toBeGreaterThan(3);
  });
});

describe('a report that asks for nothing', () => {
  test('of an older value is answered with the current one', async () => {
    const { world, clock, platform, node, first, calls } = await started();
    platform.revoke(MP);
    await report(world, node, ref, refused(first.value.fingerprint));
    for (const by of ['gateway', 'caller'] as const) {
      for (const fingerprint of [first.value.fingerprint, fingerprintOf('never ours'), '']) {
        const outcome = await report(world, node, ref, refused(fingerprint, by));
        expect(outcome).toMatchObject({ outcome: 'superseded', reason: undefined, credential: { epoch: 2 } });
      }
    }
    await clock.advance(MINUTE);
    expect(calls()).toBe(2);
    expect(node.events.filter(event => event.type === 'superseded')).toHaveLength(6);
  });

  test('learns of the renewal of another process at once', async () => {
    const { world, clock, platform, node, first } = await started();
    const other = await world.node();
    const { credential: next } = await clock.settled(other.authority.rotate(ref));
    const outcome = await report(world, node, ref, refused(first.value.fingerprint));
    expect(outcome).toMatchObject({ outcome: 'superseded' });
    expect(outcome.credential.value.reveal()).toBe(next.value.reveal());
    expect(platform.counters(MP).stable.calls).toBe(2);
  });

  test.each([45009, 48001, 40013, -1, 0, 41001])('with errcode %i keeps the token', async errcode => {
    const { world, node, first, calls } = await started();
    const outcome = await report(world, node, ref, refused(first.value.fingerprint, 'gateway', errcode));
    expect(outcome).toMatchObject({ outcome: 'kept', credential: { epoch: 1 } });
    expect(outcome.reason).toContain(`errcode ${errcode} does not say`);
    expect(calls()).toBe(1);
  });

  test('before there is any token gets one', async () => {
    const world = await createWorld();
    const node = await world.node();
    const outcome = await report(world, node, ref, refused(fingerprintOf('of another life')));
    expect(outcome).toMatchObject({ outcome: 'superseded', credential: { epoch: 1 } });
  });
});

describe('a token that the platform calls current', () => {
  test('is kept on hearsay: one look, no force, and no storm', async () => {
    const { world, clock, platform, node, first, calls } = await started();
    const outcomes = await clock.settled(
      Promise.all(
        Array.from({ length: 100 }, () =>
          node.authority.report(ref, refused(first.value.fingerprint, 'caller')),
        ),
      ),
    );
    expect(calls()).toBe(2);
    expect(new Set(outcomes.map(each => each.outcome))).toEqual(new Set(['kept']));
    expect(outcomes[0]?.reason).toContain('still the current one');
    for (let turn = 0; turn < 18; turn += 1) {
      await clock.advance(500);
      const outcome = await report(world, node, ref, refused(first.value.fingerprint, 'caller'));
      expect(outcome).toMatchObject({ outcome: 'kept', credential: { epoch: 1 } });
      expect(outcome.reason).toContain('moments ago');
    }
    expect(calls()).toBe(2);
    await clock.advance(SECOND);
    await report(world, node, ref, refused(first.value.fingerprint, 'caller'));
    expect(calls()).toBe(3);
    expect(platform.counters(MP).stable.forced).toBe(0);
  });

  test('hearsay cannot cost more than 200 calls a day', async () => {
    const { world, clock, node, first, calls } = await started();
    for (let turn = 0; turn < 230; turn += 1) {
      await clock.advance(11 * SECOND);
      const { outcome } = await report(world, node, ref, refused(first.value.fingerprint, 'caller'));
      expect(outcome).toBe('kept');
    }
    expect(calls()).toBe(1 + 200);
  });

  test('keeps its life and the time of its renewal when it was looked at', async () => {
    const { world, clock, platform, node, first } = await started();
    await clock.advance(1000 * SECOND);
    await report(world, node, ref, refused(first.value.fingerprint, 'caller'));
    const status = await node.authority.status(ref);
    expect(status).toMatchObject({ epoch: 1, issuedAt: first.issuedAt, expiresAt: first.expiresAt });
    expect(status.renewAt).toBeGreaterThan(first.expiresAt - 300 * SECOND);
    expect(platform.counters(MP).stable.issued).toBe(1);
  });

  test('is forced once when we saw the refusal ourselves', async () => {
    const { world, clock, platform, node, first, calls } = await started();
    const outcomes = await clock.settled(
      Promise.all(
        Array.from({ length: 50 }, () => node.authority.report(ref, refused(first.value.fingerprint))),
      ),
    );
    expect(new Set(outcomes.map(each => each.outcome))).toEqual(new Set(['renewed']));
    expect(platform.counters(MP).stable).toEqual({ calls: 3, issued: 2, forced: 1 });
    expect(calls()).toBe(3);
    const row = await node.store.credentials.get(`uni-id:weixin-mp:${MP}:access-token`);
    expect(row?.previous).toBeUndefined();
    expect((await report(world, node, ref, refused(first.value.fingerprint))).outcome).toBe('superseded');
  });

  test('is not forced twice within 30 s', async () => {
    const { world, clock, platform, node, first } = await started();
    const second = await report(world, node, ref, refused(first.value.fingerprint));
    await clock.advance(29 * SECOND);
    const kept = await report(world, node, ref, refused(second.credential.value.fingerprint));
    expect(kept).toMatchObject({ outcome: 'kept' });
    expect(platform.counters(MP).stable.forced).toBe(1);
    await clock.advance(SECOND);
    const third = await report(world, node, ref, refused(second.credential.value.fingerprint));
    expect(third).toMatchObject({ outcome: 'renewed', credential: { epoch: 3 } });
    expect(platform.counters(MP).stable.forced).toBe(2);
  });

  test('is forced ten times a day by ourselves, and ten more by an operator', async () => {
    const { world, clock, platform, node } = await started();
    const forced = (): number => platform.counters(MP).stable.forced;
    const tryAll = async (): Promise<void> => {
      for (let turn = 0; turn < 15; turn += 1) {
        await clock.advance(31 * SECOND);
        const { value } = await clock.settled(node.authority.get(ref));
        await report(world, node, ref, refused(value.fingerprint));
      }
    };
    await tryAll();
    expect(forced()).toBe(10);

    for (let turn = 0; turn < 10; turn += 1) {
      await clock.advance(31 * SECOND);
      const before = await clock.settled(node.authority.get(ref));
      const { credential: after } = await clock.settled(node.authority.rotate(ref));
      expect(after.value.reveal()).not.toBe(before.value.reveal());
    }
    expect(forced()).toBe(20);
    await clock.advance(31 * SECOND);
    await expect(clock.settled(node.authority.rotate(ref))).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      message: expect.stringContaining('20 of 20 used this day'),
    });
    expect(forced()).toBe(20);
    expect((await node.authority.status(ref)).failure).toBeUndefined();

    // The next day in China gives a new budget.
    clock.jump(Date.parse('2026-03-01T16:00:01Z') - clock.now());
    await clock.settled(node.authority.get(ref));
    await tryAll();
    expect(forced()).toBe(30);
  });
});

describe('an operator', () => {
  test('rotates a stable token by force', async () => {
    const { clock, platform, node, first } = await started();
    const { credential: second } = await clock.settled(node.authority.rotate(ref));
    expect(second.value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(platform.state.verdict(first.value.reveal())).toBe(40001);
    expect(platform.counters(MP).stable).toEqual({ calls: 2, issued: 2, forced: 1 });
  });

  test('rotates a classic token by an ordinary issue', async () => {
    const { clock, platform, node } = await started(classic);
    const { credential: second } = await clock.settled(node.authority.rotate(classic));
    expect(second.value.reveal()).toBe(platform.state.token(MP, 'classic'));
    expect(platform.counters(MP).classic).toEqual({ calls: 2, issued: 2 });
  });

  test('is told whether a new value came or the same again', async () => {
    const { clock, platform, node } = await started();
    expect(await clock.settled(node.authority.rotate(ref))).toMatchObject({ outcome: 'replaced' });
    const ticket: CredentialRef = { app: appOf(OA), kind: 'ticket' };
    const { value } = await clock.settled(node.authority.get(ticket));
    const body = JSON.stringify({ errcode: 0, errmsg: 'ok', ticket: value.reveal(), expires_in: 7200 });
    const again = { kind: 'status', status: 200, path: '/cgi-bin/ticket/getticket', body } as const;
    platform.faults.add({ ...again, contentType: 'application/json' });
    expect(await clock.settled(node.authority.rotate(ticket))).toMatchObject({ outcome: 'kept' });
  });

  test('is told when another process was just first', async () => {
    const { world, clock, node } = await started();
    const other = await world.node();
    const rotations = [node, other].map(each => each.authority.rotate(ref));
    const outcomes = (await clock.settled(Promise.all(rotations))).map(({ outcome }) => outcome);
    expect(outcomes.toSorted()).toEqual(['already', 'replaced']);
  });

  test('must leave 30 s between two rotations, and is told how long', async () => {
    const { clock, platform, node } = await started();
    const { credential: second } = await clock.settled(node.authority.rotate(ref));
    await clock.advance(10 * SECOND);
    await expect(clock.settled(node.authority.rotate(ref))).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      retryAfterMs: expect.closeTo(20 * SECOND, -2),
    });
    expect((await node.authority.get(ref)).value.reveal()).toBe(second.value.reveal());
    expect(platform.counters(MP).stable.forced).toBe(1);
  });

  test('who rotates while callers come keeps them all on one token', async () => {
    const { world, clock, platform, node } = await started();
    const other = await world.node();
    const rotating = Promise.all([node.authority.rotate(ref), node.authority.rotate(ref)]);
    const gets = Array.from({ length: 50 }, () => other.authority.get(ref));
    const [one, two] = await clock.settled(rotating);
    await clock.settled(Promise.all(gets));
    expect(one.credential.value.reveal()).toBe(two.credential.value.reveal());
    expect(platform.counters(MP).stable).toEqual({ calls: 2, issued: 2, forced: 1 });
  });

  test('may ask for what was never there, and rotates past a failure', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const oa: CredentialRef = { app: appOf(OA), kind: 'ticket' };
    await expect(clock.settled(node.authority.rotate(oa))).resolves.toMatchObject({
      credential: { epoch: 1 },
    });
    await clock.settled(node.authority.get(ref));
    platform.setAccount(MP, { frozenSecret: true });
    await expect(clock.settled(node.authority.rotate(ref))).rejects.toMatchObject({
      upstream: { errcode: 40243 },
    });
    platform.setAccount(MP, { frozenSecret: false });
    await clock.advance(31 * SECOND);
    await expect(clock.settled(node.authority.rotate(ref))).resolves.toMatchObject({
      credential: { epoch: 2 },
    });
    expect((await node.authority.status(ref)).failure).toBeUndefined();
  });
});

test('a classic app spends 1900 issues a day itself, and the rest for an operator', async () => {
  const { clock, platform, node } = await started(classic);
  const rule = { name: 'token', limit: 2000, reserve: 100, window: 'day' } as const;
  while (await node.authority.budgets.take(classic.app, rule, 'anyone'));
  clock.jump(3 * 3600 * SECOND);
  await expect(clock.settled(node.authority.get(classic))).rejects.toMatchObject({
    code: 'CREDENTIAL_UNAVAILABLE',
    message: expect.stringContaining('1900 of 2000 used this day'),
  });
  expect(platform.counters(MP).classic.calls).toBe(1);
  await expect(clock.settled(node.authority.rotate(classic))).resolves.toMatchObject({
    credential: { epoch: 2 },
  });
  expect(platform.counters(MP).classic.calls).toBe(2);
});
