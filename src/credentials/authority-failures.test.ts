import { describe, expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { appOf, createWorld, MP, type Node, OA, type World } from '../../test/support/world.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { AccountChange } from '../simulator/index.ts';
import type { CredentialRef } from './credentials.ts';
import { addressIn } from './failures.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TOKEN_PATH = '/cgi-bin/stable_token';

const ref: CredentialRef = { app: appOf(MP), kind: 'access-token' };

async function failureOf({ clock }: World, node: Node, on: CredentialRef = ref): Promise<BridgeError> {
  const error = await clock.settled(
    node.authority.get(on).then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  if (!(error instanceof BridgeError)) throw new Error(`expected a BridgeError, got ${String(error)}`);
  return error;
}

const calls = ({ platform }: World): number => platform.counters(MP).stable.calls;

describe('a platform that is busy', () => {
  test('is asked again at once, and nobody notices', async () => {
    const world = await createWorld();
    const node = await world.node();
    world.platform.faults.add({ kind: 'errcode', errcode: -1, path: TOKEN_PATH, times: 2 });
    await expect(world.clock.settled(node.authority.get(ref))).resolves.toMatchObject({ epoch: 1 });
    expect(calls(world)).toBe(3);
    expect(node.log.messages('warn')).toEqual([]);
  });

  test('for longer fails for all who wait, in every process, with one set of tries', async () => {
    const world = await createWorld();
    const [a, b] = await world.nodes(2);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    world.platform.faults.add({ kind: 'errcode', errcode: -1, path: TOKEN_PATH });
    const errors = await world.clock.settled(
      Promise.all(
        Array.from({ length: 60 }, (_, turn) =>
          (turn % 2 === 0 ? a : b).authority.get(ref).catch((error: unknown) => error),
        ),
      ),
    );
    expect(calls(world)).toBe(3);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: { errcode: -1 } });
    }
  });

  test('is left alone for growing pauses, up to half a minute', async () => {
    const world = await createWorld();
    const node = await world.node();
    world.platform.faults.add({ kind: 'errcode', errcode: -1, path: TOKEN_PATH });
    const pauses: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      const { retryAfterMs = 0 } = await failureOf(world, node);
      pauses.push(retryAfterMs);
      await world.clock.advance(retryAfterMs);
    }
    pauses.forEach((pause, failures) => {
      const full = Math.min(30 * SECOND, SECOND * 2 ** failures);
      expect(pause).toBeLessThanOrEqual(full);
      expect(pause).toBeGreaterThanOrEqual(full / 2 - 1);
    });
    expect(calls(world)).toBe(8 * 3);
    world.platform.faults.clear();
    await expect(world.clock.settled(node.authority.get(ref))).resolves.toMatchObject({ epoch: 1 });
    expect((await node.authority.status(ref)).failure).toBeUndefined();
  });

  test.each([
    ['cuts the connection', { kind: 'cut' }, 'UPSTREAM_UNREACHABLE'],
    ['cuts it in the answer', { kind: 'cut', at: 'body' }, 'UPSTREAM_UNREACHABLE'],
    ['answers HTML', { kind: 'garbage' }, 'UPSTREAM_UNREACHABLE'],
    ['answers half', { kind: 'garbage', truncated: true }, 'UPSTREAM_UNREACHABLE'],
    ['answers HTTP 502', { kind: 'status', status: 502 }, 'UPSTREAM_UNREACHABLE'],
    ['answers another object', { kind: 'garbage', body: '{"hello":1}' }, 'UPSTREAM_UNREACHABLE'],
  ] as const)('is asked three times when it %s', async (_, fault, code) => {
    const world = await createWorld();
    const node = await world.node();
    const id = world.platform.faults.add({ ...fault, path: TOKEN_PATH, times: 2 });
    await world.clock.settled(node.authority.get(ref));
    expect(calls(world)).toBe(3);
    world.platform.faults.clear(id);

    const other: CredentialRef = { app: appOf(OA), kind: 'access-token' };
    world.platform.faults.add({ ...fault, path: TOKEN_PATH });
    const error = await failureOf(world, node, other);
    expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: undefined });
    expect((await node.authority.status(other)).failure).toMatchObject({ code, errorClass: 'busy' });
    expect(everythingAbout(error)).not.toContain('canary');
    expect(world.platform.counters(OA).stable.calls).toBe(3);
  });

  test('and silent is given up after 8 s, three times', async () => {
    const world = await createWorld();
    const node = await world.node();
    const began = world.clock.now();
    world.platform.faults.add({ kind: 'silent', path: TOKEN_PATH });
    const got = node.authority.get(ref).catch((error: unknown) => error);
    await world.clock.advance(26 * SECOND);
    const error = await got;
    expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
    const { failure } = await node.authority.status(ref);
    expect(failure).toMatchObject({ code: 'UPSTREAM_TIMEOUT', errorClass: 'busy' });
    expect((failure?.failedAt ?? 0) - began).toBeGreaterThanOrEqual(24 * SECOND);
    expect(calls(world)).toBe(3);
    expect(everythingAbout(error)).not.toContain('canary');
  });
});

describe('a refusal that someone must mend', () => {
  test('40164 raises one alarm that names the IP and the console page, and ends by itself', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const [a, b] = await world.nodes(2);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    platform.setAccount(MP, { ipWhitelist: ['203.0.113.1'] });
    const error = await failureOf(world, a);
    expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', errcode: 40164 });
    expect(error.upstream?.errmsg).toContain('invalid ip 127.0.0.1');
    expect(error.hint).toContain('add 127.0.0.1 to the IP list');
    expect(error.hint).toContain(MP);
    expect(error.hint).toContain('mp.weixin.qq.com');

    for (let turn = 0; turn < 200; turn += 1) {
      expect((await failureOf(world, turn % 2 === 0 ? a : b)).errcode).toBe(40164);
    }
    expect(calls(world)).toBe(1);
    for (let turn = 0; turn < 3; turn += 1) {
      await clock.advance(62 * SECOND);
      await failureOf(world, turn % 2 === 0 ? b : a);
    }
    expect(calls(world)).toBe(4);
    const alarms = [a, b].flatMap(node => node.log.lines.filter(line => line.level === 'error'));
    expect(alarms).toHaveLength(1);
    expect(alarms[0]?.message).toContain('alarm');
    expect(alarms[0]?.fields).toMatchObject({
      appid: MP,
      errcode: 40164,
      class: 'address',
      hint: expect.stringContaining('127.0.0.1'),
      console: 'https://mp.weixin.qq.com',
    });

    platform.setAccount(MP, { ipWhitelist: ['127.0.0.1'] });
    await clock.advance(62 * SECOND);
    await expect(clock.settled(b.authority.get(ref))).resolves.toMatchObject({ epoch: 1 });
    expect((await a.authority.status(ref)).failure).toBeUndefined();
    platform.setAccount(MP, { ipWhitelist: [] });
    clock.jump(3 * HOUR);
    await failureOf(world, a);
    expect(a.log.lines.filter(line => line.level === 'error')).toHaveLength(2);
  });

  test.each<[number, AccountChange, string, number]>([
    [40243, { frozenSecret: true }, 'configuration', 5 * MINUTE],
    [50007, { banned: true }, 'configuration', 10 * MINUTE],
    [50004, { banned: 50004 }, 'configuration', 10 * MINUTE],
    [40125, { secret: 'reset at the console' }, 'configuration', MINUTE],
    [40164, { ipWhitelist: [] }, 'address', MINUTE],
    [61004, { ipWhitelist: [], unlistedIp: 61004 }, 'address', MINUTE],
    [89501, { ipWhitelist: [], unlistedIp: 89501 }, 'address', 5 * MINUTE],
    [89503, { ipWhitelist: [], unlistedIp: 89503 }, 'address', 5 * MINUTE],
    [89507, { ipWhitelist: [], unlistedIp: 89507 }, 'address', HOUR],
    [89506, { ipWhitelist: [], unlistedIp: 89506 }, 'address', 24 * HOUR],
    [45009, { quotas: { stablePerDay: 0 } }, 'quota', HOUR],
    [45011, { quotas: { stablePerMinute: 0 } }, 'quota', MINUTE],
  ])('%i is asked once, and again after its pause', async (errcode, change, errorClass, pauseMs) => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    platform.setAccount(MP, change);
    const error = await failureOf(world, node);
    expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: { errcode } });
    expect(error.hint).toContain(MP);
    expect(error.hint).not.toMatch(/[{}]/);
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(pauseMs);
    expect(error.retryAfterMs).toBeLessThanOrEqual(pauseMs + SECOND);
    const { failure } = await node.authority.status(ref);
    expect(failure).toMatchObject({ errcode, errorClass, failures: 1, failedAt: clock.now() });
    const stops = errorClass !== 'quota';
    expect(node.log.messages('error')).toHaveLength(stops ? 1 : 0);

    clock.jump(pauseMs - SECOND);
    await failureOf(world, node);
    expect(calls(world)).toBe(1);
    clock.jump(2 * SECOND);
    await failureOf(world, node);
    expect(calls(world)).toBe(2);
    expect((await node.authority.status(ref)).failure).toMatchObject({ failures: 2 });
  });

  test('40001 to a token call speaks of the secret: it stops us like a wrong one', async () => {
    const world = await createWorld();
    const node = await world.node();
    world.platform.faults.add({ kind: 'errcode', errcode: 40001, path: TOKEN_PATH });
    expect((await failureOf(world, node)).errcode).toBe(40001);
    expect((await node.authority.status(ref)).failure).toMatchObject({ errorClass: 'configuration' });
    expect(node.log.messages('error')).toHaveLength(1);
    expect(calls(world)).toBe(1);
  });

  test('a daily quota is looked at every hour, and at midnight in China', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    platform.setAccount(MP, { quotas: { stablePerDay: 0 } });
    await failureOf(world, node);
    for (let hour = 0; hour < 3; hour += 1) {
      clock.jump(HOUR + 2 * SECOND);
      await failureOf(world, node);
    }
    expect(calls(world)).toBe(4);
    clock.jump(Date.parse('2026-03-01T15:50:00Z') - clock.now());
    const late = await failureOf(world, node);
    expect(calls(world)).toBe(5);
    expect(late.retryAfterMs).toBeGreaterThanOrEqual(10 * MINUTE);
    expect(late.retryAfterMs).toBeLessThanOrEqual(10 * MINUTE + SECOND);
    platform.setAccount(MP, { quotas: { stablePerDay: 10 } });
    clock.jump(10 * MINUTE + SECOND);
    await expect(clock.settled(node.authority.get(ref))).resolves.toMatchObject({ epoch: 1 });
  });

  test('another secret is tried at once, and its success lifts the block for all', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const [a, b] = await world.nodes(2);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    platform.setAccount(MP, { secret: 'reset at the console' });
    await failureOf(world, a);
    const mended: CredentialRef = { ...ref, app: { ...ref.app, secret: new Secret('reset at the console') } };
    await expect(clock.settled(a.authority.get(mended))).resolves.toMatchObject({ epoch: 1 });
    await expect(clock.settled(b.authority.get(ref))).resolves.toMatchObject({ epoch: 1 });
    expect(calls(world)).toBe(2);
  });

  test('a usable token is served and kept while a new one is refused', async () => {
    const world = await createWorld();
    const { clock, platform } = world;
    const node = await world.node();
    const first = await clock.settled(node.authority.get(ref));
    platform.setAccount(MP, { frozenSecret: true });
    const report = { fingerprint: first.value.fingerprint, errcode: 40001, observedBy: 'gateway' } as const;
    const outcome = await clock.settled(node.authority.report(ref, report));
    expect(outcome).toMatchObject({ outcome: 'kept', reason: expect.stringContaining('40243') });
    expect(outcome.failure).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', upstream: { errcode: 40243 } });
    expect(outcome.failure?.retryAfterMs).toBeGreaterThan(0);
    expect(outcome.credential.value.reveal()).toBe(first.value.reveal());
    expect((await node.authority.get(ref)).value.reveal()).toBe(first.value.reveal());
    await clock.advance(2 * SECOND);
    expect(await clock.settled(node.authority.report(ref, report))).toMatchObject({ outcome: 'kept' });
    expect(calls(world)).toBe(2);
  });
});

test.each([
  ['invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 6-7-8', '1.2.3.4'],
  ['invalid ip 1.2.3.4, not in whitelist hint: [abc]', '1.2.3.4'],
  ['invalid ip 2001:db8::1 ipv6 2001:db8::1, not in whitelist', '2001:db8::1'],
  ['invalid ip ::ffff:1.2.3.4, not in whitelist', '::ffff:1.2.3.4'],
  ['access clientip is not registered requestIP: 1.2.3.4 rid: 6', '1.2.3.4'],
  ['access clientip is not registered requestIP:1.2.3.4', '1.2.3.4'],
  ['system error', undefined],
  ['invalid ip, not in whitelist', undefined],
])('the address in %j', (errmsg, address) => {
  expect(addressIn(errmsg)).toBe(address);
});

test('a hint about an address that the platform did not name still reads well', async () => {
  const world = await createWorld();
  const node = await world.node();
  world.platform.faults.add({
    kind: 'errcode',
    errcode: 40164,
    errmsg: 'not in whitelist',
    path: TOKEN_PATH,
  });
  expect((await failureOf(world, node)).hint).toContain('add the address this machine goes out with to');
});

test('nothing secret is in any log or error, whatever happens', async () => {
  const world = await createWorld();
  const { clock, platform } = world;
  const [a, b] = await world.nodes(2);
  if (a === undefined || b === undefined) throw new Error('no nodes');
  const values = new Set<string>();
  const errors: unknown[] = [];
  const attempt = async (work: Promise<{ value: Secret } | unknown>): Promise<void> => {
    try {
      const result = await clock.settled(work);
      if (typeof result === 'object' && result !== null && 'value' in result)
        values.add((result.value as Secret).reveal());
    } catch (error) {
      errors.push(error);
    }
    for (const appid of [MP, OA]) for (const token of platform.state.tokens(appid)) values.add(token);
  };
  const modes = ['stable', 'classic'] as const;
  const refs: CredentialRef[] = [
    ...modes.map(tokenMode => ({ app: appOf(MP, { tokenMode }), kind: 'access-token' }) as const),
    { app: appOf(OA), kind: 'ticket' },
    { app: appOf(OA), kind: 'card-ticket' },
  ];
  const trouble = [
    { kind: 'errcode', errcode: -1, times: 2 },
    { kind: 'errcode', errcode: 40001, times: 1 },
    { kind: 'cut', times: 3 },
    { kind: 'cut', at: 'body', times: 3 },
    { kind: 'garbage', truncated: true, times: 3 },
    { kind: 'status', status: 500, times: 3 },
    { kind: 'errcode', errcode: 40164, times: 1 },
  ] as const;
  for (const fault of trouble) {
    platform.faults.add(fault);
    for (const each of refs) {
      await attempt(a.authority.get(each));
      await attempt(b.authority.rotate(each));
      const { fingerprint = '' } = await a.authority.status(each);
      for (const observedBy of ['gateway', 'caller'] as const) {
        await attempt(b.authority.report(each, { fingerprint, errcode: 40001, observedBy }));
      }
      await attempt(a.authority.renew(each));
    }
    platform.faults.clear();
    clock.jump(2 * HOUR);
  }
  for (const appid of [MP, OA]) platform.setAccount(appid, { frozenSecret: true });
  for (const each of refs) await attempt(a.authority.renew(each));
  expect(values.size).toBeGreaterThan(10);
  expect(errors.length).toBeGreaterThan(5);
  const seen = [
    a.log.text(),
    b.log.text(),
    JSON.stringify([...a.events, ...b.events]),
    ...errors.map(everythingAbout),
  ].join('\n');
  expect(a.log.messages('debug').length).toBeGreaterThan(0);
  expect(a.log.messages('info').length).toBeGreaterThan(0);
  const leaked = [...values, ...world.secrets].filter(secret => seen.includes(secret));
  expect(leaked).toEqual([]);
});
