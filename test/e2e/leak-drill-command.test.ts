import { afterEach, beforeEach, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/base/secret.ts';
import { callersCommand } from '../../src/cli/callers.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const ADMIN_KEY = 'canary-admin-key-of-the-command1';
const ORDERS_KEY = 'canary-key-of-orders-0123456789';
const SPARE_KEY = 'canary-second-key-of-orders-0123';

let clock: ManualClock;
let running: TestBridge;
let signals: Map<string, () => void>;

beforeEach(async () => {
  clock = manualClock();
  signals = new Map();
  running = await startTestBridge({
    clock,
    config: {
      admin: { keys: [ADMIN_KEY] },
      callers: [
        { name: 'orders', keys: [ORDERS_KEY, SPARE_KEY], scopes: ['call', 'credential:read'] },
        { name: 'by-address', addresses: ['192.0.2.1'] },
      ],
    },
  });
});
afterEach(() => running.close());

/** Runs a command beside the bridge; resolves to what it printed and how it ended. */
async function run(make: typeof keysCommand, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  let status = 0;
  const context: CliContext = {
    version: '0.0.0-test',
    instance: 'command:1',
    env: { OPEN_BRIDGE_URL: running.control, OPEN_BRIDGE_ADMIN_KEY: ADMIN_KEY },
    tmpDir: running.folder,
    uid: undefined,
    out: text => void out.push(text),
    err: text => void err.push(text),
    onSignal: (signal, act) => void signals.set(signal, act),
    exit(code) {
      status = code;
    },
  };
  const command = make(context)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => {} });
  await command.parseAsync(args, { from: 'user' });
  for (const secret of [
    ADMIN_KEY,
    ORDERS_KEY,
    SPARE_KEY,
    SHOP.secret,
    ...running.simulator.state.tokens(SHOP.appid),
  ])
    expect([...out, ...err].join('\n')).not.toContain(secret);
  return { status: () => status, out: out.join('\n'), err: err.join('\n') };
}

/** Moves time on while something goes on. */
async function meanwhile<T>(pending: Promise<T>): Promise<T> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  pending.then(end, end);
  while (!over) await clock.advance(250);
  return pending;
}

async function readToken(): Promise<string> {
  const query = `grant_type=client_credential&appid=${SHOP.appid}&secret=${ORDERS_KEY}`;
  const answer = await fetch(`${running.gateway}/cgi-bin/token?${query}`);
  return ((await answer.json()) as { access_token: string }).access_token;
}

it('runs a drill to its end, telling each step, and shows the report again', async () => {
  const leaked = fingerprintOf(await readToken());
  const ended = await meanwhile(
    run(keysCommand, 'leak-drill', 'shop', '--revoke-key', fingerprintOf(ORDERS_KEY)),
  );
  expect(ended.status()).toBe(0);
  expect(ended.err).toMatch(/^leak drill [0-9a-f]{16} of shop: two refreshes, at least 31 s apart/);
  for (const step of ['look', 'revoke', 'first-refresh', 'tickets', 'wait', 'second-refresh', 'check'])
    expect(ended.err).toContain(`\n${step} done: `);
  expect(ended.out).toMatch(
    /^leak drill [0-9a-f]{16} of shop \(wx00000000000000a1\): done; begun .* by admin\n/,
  );
  expect(ended.out).toMatch(new RegExp(`\n  ${leaked}  issued .*Z, ends .*Z, refused by the platform\n`));
  expect(ended.out).toContain(`caller keys taken back: ${fingerprintOf(ORDERS_KEY)} of orders`);
  expect(ended.out).toContain(`${leaked}  token-issued by orders from 127.0.0.1, at `);
  expect(ended.out).toContain('budget token-force: 2 used, 18 left');

  const again = await run(keysCommand, 'leak-drill', 'shop', '--report', '--json');
  expect(again.status()).toBe(0);
  expect(JSON.parse(again.out)).toMatchObject({
    state: 'done',
    report: { readers: [{ credential: leaked }] },
  });
  expect(running.simulator.counters(SHOP.appid).stable.forced).toBe(2);
}, 60_000);

it('is left by an interrupt while the bridge carries on', async () => {
  await readToken();
  const pending = run(keysCommand, 'leak-drill', 'shop');
  await expect.poll(() => signals.has('SIGINT')).toBe(true);
  signals.get('SIGINT')?.();
  const ended = await meanwhile(pending);
  expect(ended.err).toContain('the bridge carries on by itself: "open-bridge keys leak-drill shop --report"');
  // Without the interrupt it would be 0; the process would be gone by now.
  expect(ended.status()).toBe(130);
}, 60_000);

it('ends with 1 when the drill fails, and says why and what to do', async () => {
  running.simulator.setAccount(SHOP.appid, { frozenSecret: true });
  const failed = await meanwhile(run(keysCommand, 'leak-drill', 'shop'));
  expect(failed.status()).toBe(1);
  expect(failed.out).toMatch(/failed; begun.*40243.*start it again within an hour/s);
}, 60_000);

it('rehearses without changing anything', async () => {
  const leaked = fingerprintOf(await readToken());
  const { out, status } = await run(
    keysCommand,
    'leak-drill',
    'shop',
    '--rehearse',
    '--revoke-key',
    'orders',
  );
  expect(status()).toBe(0);
  expect(out).toMatch(/^rehearsal of a leak drill of shop .*: nothing was changed\n/);
  expect(out).toContain('caller keys would be taken back: ');
  expect(out).toContain(`${leaked}  token-issued by orders`);
  expect(running.simulator.counters(SHOP.appid).stable.forced).toBe(0);
  expect(fingerprintOf(await readToken())).toBe(leaked);
  await expect(run(keysCommand, 'leak-drill', 'shop', '--since', 'once')).rejects.toMatchObject({
    code: 'commander.invalidArgument',
  });
});

it('takes keys of callers back one by one, and shows them so', async () => {
  const [orders, spare] = [ORDERS_KEY, SPARE_KEY].map(fingerprintOf);
  const one = await run(callersCommand, 'revoke-key', 'orders', '--key-id', orders ?? '');
  expect(one.out).toBe(`key ${orders} of orders is refused from now on\nstill good: ${spare}`);
  expect((await run(callersCommand, 'list')).out).toMatch(
    new RegExp(
      `^orders: .*\n  key ${orders}: revoked on 2026-03-01T04:00:00.000Z\n  key ${spare}\nby-address: `,
    ),
  );
  const rest = await run(callersCommand, 'revoke-key', 'orders');
  expect(rest.out).toContain('orders has no key left: add a new one under "callers"');
  const wrong = [
    [['orders', '--key-id', '0123456789abcdef'], 'has no key 0123456789abcdef'],
    [['by-address'], 'has no key: it is known by its address'],
    [['nobody'], 'no caller named "nobody"'],
    [['orders', '--key-id', 'all'], 'first 16 hex digits'],
  ] as const;
  for (const [args, message] of wrong)
    await expect(run(callersCommand, 'revoke-key', ...args)).rejects.toThrow(message);
});
