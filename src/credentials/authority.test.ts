import { describe, expect, test } from 'vitest';
import { appOf, createWorld, MP, type Node, OA, type World } from '../../test/support/world.ts';
import type { App } from '../platforms/platform.ts';
import type { Credential, CredentialRef } from './credentials.ts';
import { LEASE_TTL_MS } from './lease.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

const stable: CredentialRef = { app: appOf(MP), kind: 'access-token' };
const classic: CredentialRef = { app: appOf(MP, { tokenMode: 'classic' }), kind: 'access-token' };

/** A gate that holds whoever comes to it until it is opened. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

async function twoNodes(): Promise<{ world: World; a: Node; b: Node }> {
  const world = await createWorld();
  return { world, a: await world.node(), b: await world.node() };
}

function getAll(
  world: World,
  nodes: readonly Node[],
  ref: CredentialRef,
  count: number,
): Promise<Credential[]> {
  const gets = Array.from({ length: count }, (_, turn) => nodes[turn % nodes.length]?.authority.get(ref));
  return world.clock.settled(Promise.all(gets)) as Promise<Credential[]>;
}

/** Moves to the moment at which the credential is to be renewed. */
async function goToRenewal({ clock }: World, node: Node, ref: CredentialRef): Promise<void> {
  const { renewAt = Number.NaN } = await node.authority.status(ref);
  await clock.advance(Math.ceil(renewAt) - clock.now());
}

describe('a cold start', () => {
  test.each([
    ['stable', stable],
    ['classic', classic],
  ])('200 callers at once cost one %s call', async (mode, ref) => {
    const world = await createWorld();
    const node = await world.node();
    const credentials = await getAll(world, [node], ref, 200);
    expect(new Set(credentials.map(each => each.value.reveal())).size).toBe(1);
    expect(credentials[0]?.value.reveal()).toBe(world.platform.state.token(MP, ref.app.tokenMode));
    expect(credentials[0]).toMatchObject({
      epoch: 1,
      issuedAt: world.clock.now(),
      expiresAt: world.clock.now() + 2 * HOUR,
    });
    const counters = world.platform.counters(MP);
    expect(mode === 'stable' ? counters.stable : counters.classic).toMatchObject({ calls: 1, issued: 1 });
    expect(node.events.map(event => event.type)).toEqual(['issued']);
  });

  test.each([
    ['stable', stable],
    ['classic', classic],
  ])('200 callers of four processes cost one %s call', async (_, ref) => {
    const world = await createWorld();
    const nodes = await world.nodes(4);
    const credentials = await getAll(world, nodes, ref, 200);
    expect(new Set(credentials.map(each => each.value.reveal())).size).toBe(1);
    const { stable: stableCalls, classic: classicCalls } = world.platform.counters(MP);
    expect(stableCalls.calls + classicCalls.calls).toBe(1);
  });

  test('apps do not wait for each other, and kinds and apps are kept apart', async () => {
    const world = await createWorld();
    const node = await world.node();
    const oa = { app: appOf(OA), kind: 'access-token' } as const;
    const [ofMp, ofOa] = await world.clock.settled(
      Promise.all([node.authority.get(stable), node.authority.get(oa)]),
    );
    expect(ofMp.value.reveal()).toBe(world.platform.state.token(MP, 'stable'));
    expect(ofOa.value.reveal()).toBe(world.platform.state.token(OA, 'stable'));
  });

  test('a restart finds the credential in the database', async () => {
    const { world, a, b } = await twoNodes();
    const before = await world.clock.settled(a.authority.get(stable));
    await world.clock.advance(HOUR);
    const after = await b.authority.get(stable);
    expect(after.value.reveal()).toBe(before.value.reveal());
    expect(after.expiresAt).toBe(before.expiresAt);
    expect(world.platform.counters(MP).stable.calls).toBe(1);
  });

  test('the life counts from before the request was sent', async () => {
    const world = await createWorld();
    const node = await world.node();
    world.platform.faults.add({ kind: 'latency', ms: 3000, when: 'after', path: '/cgi-bin/stable_token' });
    const sentAt = world.clock.now();
    const credential = await world.clock.settled(node.authority.get(stable));
    expect(world.clock.now()).toBeGreaterThanOrEqual(sentAt + 3000);
    expect(credential.issuedAt).toBe(sentAt);
    expect(credential.expiresAt).toBe(sentAt + 2 * HOUR);
  });
});

describe('a caller who stops waiting', () => {
  test('is let go, while the others get their credential', async () => {
    const world = await createWorld();
    const node = await world.node();
    const controller = new AbortController();
    const reason = new Error('gone');
    const leaving = node.authority.get(stable, { signal: controller.signal });
    const staying = node.authority.get(stable);
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    await expect(world.clock.settled(staying)).resolves.toMatchObject({ epoch: 1 });
  });

  test('before it began gets its reason, even when the work then fails', async () => {
    const world = await createWorld();
    const node = await world.node();
    world.platform.setAccount(MP, { frozenSecret: true });
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    const reason = new Error('gone');
    await expect(node.authority.get(stable, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await world.clock.advance(SECOND);
    expect(world.platform.counters(MP).stable.calls).toBe(1);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

describe('renewal', () => {
  test('a stable token is asked for once, in its window and not before', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(stable));
    await clock.advance(6900 * SECOND - 1);
    expect(await clock.settled(node.authority.renew(stable))).toBe('fresh');
    await node.authority.get(stable);
    await clock.settled(node.authority.idle());
    expect(platform.counters(MP).stable.calls).toBe(1);

    await goToRenewal(world, node, stable);
    expect(clock.now()).toBeGreaterThanOrEqual(first.expiresAt - 300 * SECOND);
    const served = await node.authority.get(stable);
    expect(served.value.reveal()).toBe(first.value.reveal());
    await clock.settled(node.authority.idle());
    expect(platform.counters(MP).stable).toMatchObject({ calls: 2, issued: 2, forced: 0 });
    const second = await node.authority.get(stable);
    expect(second.epoch).toBe(2);
    expect(second.value.reveal()).toBe(platform.state.token(MP, 'stable'));
    expect(platform.state.verdict(first.value.reveal())).toBe(0);
  });

  test('a classic token is served on until the new one is committed', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(classic));
    await goToRenewal(world, node, classic);
    platform.faults.add({ kind: 'latency', ms: 4000, when: 'after', path: '/cgi-bin/token' });
    const renewing = node.authority.renew(classic);
    await clock.advance(3000);
    expect(platform.counters(MP).classic.issued).toBe(2);
    const served = await node.authority.get(classic);
    expect(served.value.reveal()).toBe(first.value.reveal());
    expect(platform.state.verdict(served.value.reveal())).toBe(0);
    expect(await clock.settled(renewing)).toBe('renewed');
    expect((await node.authority.get(classic)).value.reveal()).toBe(platform.state.token(MP, 'classic'));
    expect(platform.counters(MP).classic.calls).toBe(2);
  });

  test('the replaced value is kept for as long as the platform honours it', async () => {
    const world = await createWorld();
    const { clock } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(classic));
    await goToRenewal(world, node, classic);
    const renewedAt = clock.now();
    await clock.settled(node.authority.renew(classic));
    const row = await node.store.credentials.get(`uni-id:weixin-mp:${MP}:access-token`);
    expect(row?.previous).toEqual({
      value: JSON.stringify({ access_token: first.value.reveal() }),
      fingerprint: first.value.fingerprint,
      expiresAt: Math.min(first.expiresAt, renewedAt + 300 * SECOND),
    });
  });

  test.each([
    ['stable', stable],
    ['classic', classic],
  ])('many processes at the due time of a %s token make one call', async (_, ref) => {
    const world = await createWorld();
    const { clock, platform } = world;
    const nodes = await world.nodes(3);
    await getAll(world, nodes, ref, 3);
    const [first] = nodes;
    if (first === undefined) throw new Error('no node');
    await goToRenewal(world, first, ref);
    const outcomes = await clock.settled(Promise.all(nodes.map(node => node.authority.renew(ref))));
    expect(outcomes.sort()).toEqual(['fresh', 'fresh', 'renewed']);
    const counters = platform.counters(MP);
    expect(counters.stable.calls + counters.classic.calls).toBe(2);
  });

  test('after a sleep past the end one call gives all callers a new token', async () => {
    const { world, a, b } = await twoNodes();
    const { clock, platform } = world;
    const first = await clock.settled(a.authority.get(stable));
    await b.authority.get(stable);
    clock.jump(5 * HOUR);
    const credentials = await getAll(world, [a, b], stable, 50);
    expect(new Set(credentials.map(each => each.value.reveal()))).toEqual(
      new Set([platform.state.token(MP, 'stable')]),
    );
    expect(credentials[0]?.value.reveal()).not.toBe(first.value.reveal());
    expect(platform.counters(MP).stable).toMatchObject({ calls: 2, issued: 2 });
  });

  test('a token that cannot be renewed is served to its end, and asked for at growing intervals', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(stable));
    await goToRenewal(world, node, stable);
    platform.faults.add({ kind: 'errcode', errcode: -1, path: '/cgi-bin/stable_token' });
    while (clock.now() < first.expiresAt - 3 * SECOND) {
      expect((await node.authority.get(stable)).value.reveal()).toBe(first.value.reveal());
      await clock.advance(SECOND);
    }
    // 240 s to 300 s with pauses up to 30 s and three tries each: far from one call a second.
    expect(platform.counters(MP).stable.calls).toBeLessThan(70);
    expect(platform.counters(MP).stable.calls).toBeGreaterThan(20);
    await clock.advance(2 * SECOND);
    await expect(clock.settled(node.authority.get(stable))).rejects.toMatchObject({
      code: 'CREDENTIAL_UNAVAILABLE',
      upstream: { errcode: -1 },
    });
    platform.faults.clear();
    await clock.advance(31 * SECOND);
    await expect(clock.settled(node.authority.get(stable))).resolves.toMatchObject({ epoch: 2 });
  });
});

describe('several processes', () => {
  test('notice the renewal of another within a second', async () => {
    const { world, a, b } = await twoNodes();
    const { clock } = world;
    const old = await clock.settled(a.authority.get(stable));
    await b.authority.get(stable);
    const { credential: next } = await clock.settled(a.authority.rotate(stable));
    expect(next.value.reveal()).not.toBe(old.value.reveal());
    await clock.advance(SECOND);
    expect((await b.authority.get(stable)).value.reveal()).toBe(next.value.reveal());
    expect((await a.authority.get(stable)).value.reveal()).toBe(next.value.reveal());
    expect(world.platform.counters(MP).stable.calls).toBe(2);
  });

  test('read memory, not the database, within that second', async () => {
    const world = await createWorld();
    let reads = 0;
    const node = await world.node({
      through: store => ({
        ...store,
        credentials: {
          ...store.credentials,
          get(id) {
            reads += 1;
            return store.credentials.get(id);
          },
        },
      }),
    });
    await world.clock.settled(node.authority.get(stable));
    await world.clock.advance(SECOND);
    await node.authority.get(stable);
    const before = reads;
    await world.clock.advance(SECOND - 1);
    for (let turn = 0; turn < 1000; turn += 1) await node.authority.get(stable);
    expect(reads).toBe(before);
    await world.clock.advance(1);
    await Promise.all(Array.from({ length: 1000 }, () => node.authority.get(stable)));
    expect(reads).toBe(before + 1);
  });

  test('wait for a lease whose holder died, then make one call', async () => {
    const { world, a, b } = await twoNodes();
    const { clock, platform } = world;
    await a.store.leases.acquire(`issue:weixin-mp:${MP}:access-token`, 'a process that died', LEASE_TTL_MS);
    const diedAt = clock.now();
    const gets = Promise.all([a, b, a, b].map(node => node.authority.get(stable)));
    await clock.advance(LEASE_TTL_MS - 1);
    expect(platform.counters(MP).stable.calls).toBe(0);
    const credentials = await clock.settled(gets);
    expect(clock.now() - diedAt).toBeLessThan(LEASE_TTL_MS + 500);
    expect(new Set(credentials.map(each => each.value.reveal())).size).toBe(1);
    expect(platform.counters(MP).stable.calls).toBe(1);
  });

  test('never run anyway: a lease that stays taken ends in an error', async () => {
    const { world, a, b } = await twoNodes();
    const { clock, platform } = world;
    await a.store.leases.acquire(`issue:weixin-mp:${MP}:access-token`, 'a slow process', HOUR);
    const began = clock.now();
    await expect(clock.settled(b.authority.get(stable))).rejects.toMatchObject({
      code: 'CREDENTIAL_UNAVAILABLE',
      message: expect.stringContaining('another process is still fetching it'),
      retryAfterMs: 1000,
    });
    expect(clock.now() - began).toBeGreaterThanOrEqual(25 * SECOND);
    expect(clock.now() - began).toBeLessThan(27 * SECOND);
    expect(platform.counters(MP).stable.calls).toBe(0);
  });

  test('a holder stopped after its call cannot overwrite the newer value', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const stopped = gate();
    let paused = false;
    const slow = await world.node({
      wire: upstream => ({
        ...upstream,
        async send(...call) {
          const answer = await upstream.send(...call);
          paused = true;
          await stopped.passed;
          paused = false;
          return answer;
        },
      }),
      through: store => ({
        ...store,
        leases: {
          ...store.leases,
          // A stopped process prolongs nothing.
          extend: (...lease) => (paused ? Promise.resolve(false) : store.leases.extend(...lease)),
        },
      }),
    });
    const quick = await world.node();
    const late = slow.authority.get(classic);
    await clock.advance(1);
    expect(platform.counters(MP).classic.calls).toBe(1);
    clock.jump(LEASE_TTL_MS);
    const newer = await clock.settled(quick.authority.get(classic));
    stopped.open();
    const answered = await clock.settled(late);
    expect(answered.value.reveal()).toBe(newer.value.reveal());
    expect((await quick.authority.get(classic)).value.reveal()).toBe(platform.state.token(MP, 'classic'));
    expect((await slow.authority.status(classic)).epoch).toBe(1);
    expect(platform.counters(MP).classic.calls).toBe(2);
    expect(slow.log.messages('warn')).toContain(
      'another process committed a newer credential first; ours is discarded',
    );
  });

  test('a holder stopped before its call sends nothing any more', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const stopped = gate();
    let reads = 0;
    const slow = await world.node({
      through: store => ({
        ...store,
        credentials: {
          ...store.credentials,
          async get(id) {
            reads += 1;
            const row = await store.credentials.get(id);
            // The last look before the call, with the lease in hand.
            if (reads === 4) await stopped.passed;
            return row;
          },
        },
        leases: { ...store.leases, extend: (...lease) => store.leases.extend(...lease) },
      }),
    });
    const quick = await world.node();
    const late = slow.authority.get(classic);
    await clock.advance(1);
    expect(reads).toBe(4);
    clock.jump(LEASE_TTL_MS);
    const newer = await clock.settled(quick.authority.get(classic));
    stopped.open();
    expect((await clock.settled(late)).value.reveal()).toBe(newer.value.reveal());
    expect(slow.sent).toEqual([]);
    expect(platform.counters(MP).classic.calls).toBe(1);
  });

  test('look again once they hold the lease: its last holder may just have finished', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const late = gate();
    const slow = await world.node({
      through: store => ({
        ...store,
        leases: {
          ...store.leases,
          async acquire(...lease) {
            await late.passed;
            return store.leases.acquire(...lease);
          },
        },
      }),
    });
    const quick = await world.node();
    const got = slow.authority.get(classic);
    await clock.advance(1);
    const first = await clock.settled(quick.authority.get(classic));
    late.open();
    expect((await clock.settled(got)).value.reveal()).toBe(first.value.reveal());
    expect(slow.sent).toEqual([]);
    expect(platform.counters(MP).classic.calls).toBe(1);
  });

  test('leave no lease behind and no timer, whether the call succeeds or fails', async () => {
    const { world, a } = await twoNodes();
    const { clock, platform } = world;
    const name = `issue:weixin-mp:${MP}:access-token`;
    await clock.settled(a.authority.get(stable));
    expect(clock.sleepers()).toBe(0);
    expect(await a.store.leases.acquire(name, 'next', LEASE_TTL_MS)).toBe(true);
    await a.store.leases.release(name, 'next');
    platform.setAccount(MP, { frozenSecret: true });
    await clock.settled(a.authority.rotate(stable).catch(() => {}));
    expect(await a.store.leases.acquire(name, 'next', LEASE_TTL_MS)).toBe(true);
  });
});

describe('tickets', () => {
  const ticket: CredentialRef = { app: appOf(OA), kind: 'ticket' };
  const card: CredentialRef = { app: appOf(OA), kind: 'card-ticket' };

  test('both kinds come with one access token between them', async () => {
    const world = await createWorld();
    const node = await world.node();
    const [jsapi, wxCard] = await world.clock.settled(
      Promise.all([node.authority.get(ticket), node.authority.get(card)]),
    );
    expect(world.platform.state.isTicketValid(OA, 'jsapi', jsapi.value.reveal())).toBe(true);
    expect(world.platform.state.isTicketValid(OA, 'wx_card', wxCard.value.reveal())).toBe(true);
    expect(world.platform.counters(OA).stable.calls).toBe(1);
    expect(world.platform.counters(OA).ticket).toEqual({ calls: 2, issued: 2 });
    const row = await node.store.credentials.get(`uni-id:weixin-h5:${OA}:ticket`);
    expect(JSON.parse(row?.value ?? '')).toEqual({ ticket: jsapi.value.reveal() });
  });

  test('200 callers of two processes cost one ticket', async () => {
    const { world, a, b } = await twoNodes();
    await getAll(world, [a, b], ticket, 200);
    expect(world.platform.counters(OA).ticket.calls).toBe(1);
    expect(world.platform.counters(OA).stable.calls).toBe(1);
  });

  test('an access token that was revoked meanwhile is repaired on the way', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    await clock.settled(node.authority.get({ app: ticket.app, kind: 'access-token' }));
    platform.revoke(OA);
    const issued = await clock.settled(node.authority.get(ticket));
    expect(platform.state.isTicketValid(OA, 'jsapi', issued.value.reveal())).toBe(true);
    expect(platform.counters(OA).stable).toMatchObject({ calls: 2, forced: 0 });
    expect(platform.counters(OA).ticket).toEqual({ calls: 2, issued: 1 });
  });

  test('when there is no access token, its failure is told', async () => {
    const world = await createWorld();
    world.platform.setAccount(OA, { frozenSecret: true });
    const node = await world.node();
    await expect(world.clock.settled(node.authority.get(ticket))).rejects.toMatchObject({
      code: 'CREDENTIAL_UNAVAILABLE',
      upstream: { errcode: 40243 },
    });
    expect(world.platform.counters(OA).ticket.calls).toBe(0);
    // Who asks again and again for a ticket meanwhile makes no failure of any of it.
    for (let again = 0; again < 3; again += 1)
      await expect(world.clock.settled(node.authority.get(ticket))).rejects.toThrow('40243');
    expect(node.events.map(({ type, ref }) => `${type} ${ref.kind}`)).toEqual(['failed access-token']);
  });

  test('a mini program has none', async () => {
    const world = await createWorld();
    const node = await world.node();
    for (const kind of ['ticket', 'card-ticket'] as const) {
      await expect(node.authority.get({ app: appOf(MP), kind })).rejects.toMatchObject({
        code: 'CREDENTIAL_UNSUPPORTED',
        hint: expect.stringContaining('weixin-h5'),
      });
    }
    expect(world.platform.counters(MP).calls).toEqual({});
  });
});

describe('lives of any length', () => {
  test.each<[number, App['tokenMode'], number, number, number]>([
    // life in s, mode, step in ms, steps, most issues
    [1, 'stable', 50, 200, 21],
    [1, 'classic', 50, 200, 26],
    [10, 'stable', 500, 200, 21],
    [600, 'stable', 5000, 1000, 18],
    [600, 'classic', 5000, 1000, 22],
    [7200, 'stable', 60_000, 1000, 10],
    [7200, 'classic', 60_000, 1000, 10],
  ])(
    'a %i s %s token is always good when handed out',
    async (life, tokenMode, step, steps, most) => {
      const account = { appid: MP, secret: 'canary-secret-of-the-mini-program', type: 'mp' } as const;
      const overlapSeconds = Math.min(300, life / 2);
      const world = await createWorld([{ ...account, tokenLifeSeconds: life, overlapSeconds }]);
      const { clock, platform } = world;
      const node = await world.node();
      const ref: CredentialRef = { app: appOf(MP, { tokenMode }), kind: 'access-token' };
      for (let turn = 0; turn < steps; turn += 1) {
        const { value } = await clock.settled(node.authority.get(ref));
        expect(platform.state.verdict(value.reveal())).toBe(0);
        await clock.settled(node.authority.idle());
        await clock.advance(step);
      }
      expect(platform.counters(MP)[tokenMode].issued).toBeLessThanOrEqual(most);
      expect(platform.counters(MP)[tokenMode].issued).toBeGreaterThan(1);
    },
    60_000,
  );
});

describe('a clock set back by an hour', () => {
  test('changes nothing for a token in hand, which is then renewed an hour late by the true time', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(stable));
    await clock.advance(2 * SECOND);
    clock.jump(-HOUR);
    expect((await node.authority.get(stable)).value.reveal()).toBe(first.value.reveal());
    expect(await clock.settled(node.authority.renew(stable))).toBe('fresh');
    expect(platform.counters(MP).stable.calls).toBe(1);
    expect((await node.authority.status(stable)).expiresAt).toBe(first.expiresAt);
  });

  test('does not keep the renewal of another process from being noticed', async () => {
    const { world, a, b } = await twoNodes();
    const { clock } = world;
    await clock.settled(a.authority.get(stable));
    await b.authority.get(stable);
    clock.jump(-HOUR);
    const { credential: next } = await clock.settled(a.authority.rotate(stable));
    await clock.advance(SECOND);
    expect((await b.authority.get(stable)).value.reveal()).toBe(next.value.reveal());
  });

  test('does not keep a refused token from being repaired', async () => {
    const { world, a } = await twoNodes();
    const { clock, platform } = world;
    for (const _ of [1, 2]) {
      const { value } = await clock.settled(a.authority.get(stable));
      platform.revoke(MP);
      const report = { fingerprint: value.fingerprint, errcode: 40001, observedBy: 'gateway' } as const;
      expect(await clock.settled(a.authority.report(stable, report))).toMatchObject({ outcome: 'renewed' });
      clock.jump(-HOUR);
    }
  });
});
