import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { auditCommand } from '../../src/cli/audit.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { dataCommand } from '../../src/cli/data.ts';
import { SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';

let running: TestBridge;
beforeEach(async () => {
  running = await startTestBridge();
});
afterEach(() => running.close());

/** Runs a command beside the bridge; resolves to what it printed and how it ended. */
async function run(make: typeof auditCommand, ...args: string[]) {
  const printed: string[] = [];
  let status = 0;
  const context: CliContext = {
    version: '0.0.0-test',
    instance: 'command:1',
    env: { OPEN_BRIDGE_URL: running.control },
    tmpDir: running.folder,
    uid: undefined,
    out: text => void printed.push(text),
    err: () => {},
    onSignal: () => {},
    exit(code) {
      status = code;
    },
  };
  const command = make(context)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const each of command.commands) each.exitOverride().configureOutput({ writeErr: () => {} });
  await command.parseAsync(args, { from: 'user' });
  return { status, out: printed.join('\n') };
}

const inFolder = (name: string): string => join(running.folder, name);

async function useTokens(): Promise<void> {
  for (const secret of [SHOP.secret, SHOP.secret, 'canary-wrong-secret-0123'])
    await fetch(
      `${running.gateway}/cgi-bin/token?grant_type=client_credential&appid=${SHOP.appid}&secret=${secret}`,
    );
}

const rotate = () =>
  fetch(`${running.control}/v1/credentials/rotate`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ appid: 'shop', kind: 'access_token' }),
  });

function tamper(statement: string): void {
  const raw = new DatabaseSync(inFolder('open-bridge.db'), { timeout: 5000 });
  raw.exec(statement);
  raw.close();
}

it('lists what happened, for people and for scripts', async () => {
  await useTokens();
  await rotate();
  const lines = (await run(auditCommand, 'list', '--app', 'shop')).out.split('\n');
  expect(lines[0]).toMatch(
    /Z {2}rotate {2}by local from 127\.0\.0\.1 {2}access-token of shop {2}[0-9a-f]{16} {2}\(rotateCredential\)$/,
  );
  expect(lines.join('\n')).toMatch(/refused 40125 {2}by somebody unknown from 127\.0\.0\.1/);
  expect(lines.some(line => / token-issued {2}by local from .* {2}\(real\)/.test(line))).toBe(true);
  const { entries } = JSON.parse((await run(auditCommand, 'list', '--json', '--action', 'rotate')).out);
  expect(entries).toMatchObject([{ action: 'rotate', actor: 'local' }]);
  const of = (await run(auditCommand, 'list', '--credential', entries[0].credential)).out;
  expect(of).toContain('rotate');
  expect((await run(auditCommand, 'list', '--until', '2020-01-01')).out).toBe(
    'no such entry is in the audit log',
  );
  expect((await run(auditCommand, 'head')).out).toMatch(/^[0-9a-f]{8}-[0-9a-f]{16} \d+ [0-9a-f]{64}$/);
  for (const args of [
    ['--last', '0'],
    ['--since', 'yesterday'],
  ])
    await expect(run(auditCommand, 'list', ...args)).rejects.toMatchObject({
      code: 'commander.invalidArgument',
    });
});

it('exports, and verifies the database and the export', async () => {
  await useTokens();
  await rotate();
  const config = ['--config', inFolder('open-bridge.json')];
  const sound = await run(auditCommand, 'verify', ...config);
  expect(sound).toMatchObject({ status: 0, out: expect.stringContaining('nothing was changed') });
  const file = inFolder('audit.jsonl');
  const exported = await run(auditCommand, 'export', ...config, '--out', file);
  expect(exported.out).toMatch(/^\d+ entries written to /);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const text = readFileSync(file, 'utf8');
  for (const line of text.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('entry.action');
  expect(text).toContain('"actor":"command line"');
  for (const secret of [SHOP.secret, ...running.simulator.state.tokens(SHOP.appid)])
    expect(text).not.toContain(secret);
  expect(await run(auditCommand, 'verify', '--file', file)).toMatchObject({ status: 0 });
  writeFileSync(file, text.replace('"rotate"', '"report"'));
  const changed = await run(auditCommand, 'verify', '--file', file, '--json');
  expect(changed.status).toBe(1);
  expect(JSON.parse(changed.out)).toMatchObject({
    faults: 1,
    listed: [{ fault: 'was changed: its hash does not fit' }],
  });
  writeFileSync(file, `${text}nonsense\n`);
  expect(await run(auditCommand, 'verify', '--file', file)).toMatchObject({
    status: 1,
    out: expect.stringContaining('this line is no entry'),
  });
  await expect(run(auditCommand, 'verify', '--file', inFolder('none'))).rejects.toMatchObject({
    code: 'NOT_FOUND',
    hint: expect.stringContaining('audit export'),
  });

  tamper("delete from open_bridge_audit where action = 'refused'");
  const broken = await run(auditCommand, 'verify', ...config);
  expect(broken.status).toBe(1);
  expect(broken.out).toMatch(/^chain [0-9a-f-]+, entry \d+: entry \d+ before it is missing\n/);
  const metrics = await (await fetch(`${running.control}/metrics`)).text();
  expect(metrics).toMatch(/^open_bridge_audit_faults 1$/m);
  expect(metrics).toMatch(/^open_bridge_audit_verified_timestamp_seconds \d{10}/m);
  expect(metrics).toMatch(/^open_bridge_audit_lost_total 0$/m);
  const { entries } = JSON.parse((await run(auditCommand, 'list', '--json', '--action', 'verify')).out);
  expect(entries).toMatchObject([{ outcome: '1 faults' }, { outcome: 'done', actor: 'command line' }]);
});

it('an export of all credentials is on record', async () => {
  await run(
    dataCommand,
    ...['export', '--config', inFolder('open-bridge.json'), '--out', inFolder('data.json')],
  );
  const { entries } = JSON.parse((await run(auditCommand, 'list', '--json', '--action', 'export')).out);
  expect(entries).toMatchObject([{ actor: 'command line', node: 'command:1', detail: 'data export' }]);
});
