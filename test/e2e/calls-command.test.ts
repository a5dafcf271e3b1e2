import type { Command } from 'commander';
import { afterEach, expect, it } from 'vitest';
import { callsCommand } from '../../src/cli/calls.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { usageCommand } from '../../src/cli/usage.ts';
import { NEWS, startTestBridge, type TestBridge } from '../support/bridge.ts';

let running: TestBridge;
afterEach(() => running.close());

/** Runs a command against the bridge; resolves to what it printed. */
async function run(make: (context: CliContext) => Command, ...args: string[]): Promise<string> {
  const printed: string[] = [];
  const context: CliContext = {
    version: '0.0.0-test',
    instance: 'test',
    env: { OPEN_BRIDGE_URL: running.control },
    tmpDir: running.folder,
    uid: undefined,
    out: text => void printed.push(text),
    err: () => {},
    onSignal: () => {},
    exit: () => {},
  };
  const command = make(context)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  await command.parseAsync(args, { from: 'user' });
  return printed.join('\n');
}

async function call(path: string, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(`${running.gateway}${path}`, init);
  await answer.text();
  return answer.headers.get('x-openapi-seqid') ?? '';
}

it('tells what became of a call, for people and for scripts', async () => {
  running = await startTestBridge({ config: { openapi: { allow: ['/wxa/*'] } } });
  const good = await call('/wxa/getwxadevinfo');
  const told = await run(callsCommand, good);
  for (const part of [
    new RegExp(`^call +${good}$`, 'm'),
    /^request +GET \/wxa\/getwxadevinfo, 0 bytes$/m,
    /^caller +local, from 127\.0\.0\.1$/m,
    /^app +shop \(wx00000000000000a1, weixin-mp\)$/m,
    /^answer +200 0, \d+ bytes$/m,
    /^made by +the platform$/m,
    /^credential +[0-9a-f]{16}, put in$/m,
  ])
    expect(told).toMatch(part);
  expect(JSON.parse(await run(callsCommand, good, '--json'))).toMatchObject({ seqid: good, status: 200 });

  const failed = await call(`/wxa/getwxacode?from_appid=${NEWS.appid}`, {
    method: 'POST',
    body: '{"path":"p"}',
  });
  const asked = await run(callsCommand, failed, '--rid');
  expect(asked).toMatch(/^rid +[0-9a-f-]{26}$/m);
  expect(asked).toContain('platform   request_url: /wxa/getwxacode?access_token=***');
  await expect(run(callsCommand, 'nobody')).rejects.toMatchObject({ status: 404 });
});

it('lists the latest calls and sums them up', async () => {
  running = await startTestBridge({ config: { openapi: { allow: ['/wxa/*'] } } });
  expect(await run(callsCommand)).toBe('no such call is in the call log');
  expect(await run(usageCommand)).toMatch(/^since \d{4}-\d\d-\d\d: no calls$/);
  const ids = [
    await call('/wxa/getwxadevinfo'),
    await call('/cgi-bin/getcallbackip'),
    await call('/wxa/getwxadevinfo'),
  ];
  const lines = (await run(callsCommand, '--last', '2')).split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/Z {2}200 0 {2}GET \/wxa\/getwxadevinfo {2}local as shop {2}\d+ ms {2}/);
  const failed = await run(
    callsCommand,
    '--failed',
    '--errcode',
    '85107',
    '--caller',
    'local',
    '--app',
    'shop',
  );
  expect(failed).toMatch(new RegExp(`403 85107 PATH_NOT_LISTED .*${ids[1]}$`));
  expect(await run(callsCommand, '--before', '2020-01-01')).toBe('no such call is in the call log');
  expect(JSON.parse(await run(callsCommand, '--json')).calls).toHaveLength(3);
  expect(await run(usageCommand, '--days', '1')).toMatch(
    /\n\d{4}-\d\d-\d\d {2}local as shop: 3 calls, 0 refused by the platform, 1 by the gateway, 0 sent again, 0 bytes out, \d+ back$/,
  );
  for (const args of [
    ['--last', '0'],
    ['--errcode', 'x'],
    ['--before', 'yesterday'],
  ])
    await expect(run(callsCommand, ...args)).rejects.toMatchObject({ code: 'commander.invalidArgument' });
});

it('lists more than the API gives at once', async () => {
  running = await startTestBridge();
  await Promise.all(Array.from({ length: 230 }, () => call('/wxa/nothing')));
  const { calls } = JSON.parse(await run(callsCommand, '--last', '220', '--json'));
  expect(new Set(calls.map((each: { seqid: string }) => each.seqid)).size).toBe(220);
});
