import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, temporaryFolder, writeConfig } from '../support/bridge.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = temporaryFolder();
  simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await simulator.close();
  folder[Symbol.dispose]();
});

/** Starts `open-bridge …` and collects what it prints. */
function start(...args: string[]): { readonly child: ChildProcess; output(): string } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let text = '';
  child.stdout?.on('data', chunk => (text += chunk));
  child.stderr?.on('data', chunk => (text += chunk));
  return { child, output: () => text };
}

/** Runs `open-bridge …` to its end. */
async function finish(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args], { cwd: folder.path });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise(resolve => child.once('exit', code => resolve(code)));
}

async function gatewayOf(output: () => string): Promise<string> {
  await expect.poll(output, { timeout: 15_000 }).toContain('open-bridge is ready');
  return /"gateway":"([^"]+)"/.exec(output())?.[1] ?? '';
}

describe('open-bridge serve', () => {
  it('starts, makes an admin key once, follows its file, and stops on SIGTERM', async () => {
    const config = writeConfig(folder.path, simulator.origin, { openapi: { allow: [] } });
    const first = start('serve', '--config', config);
    const gateway = await gatewayOf(first.output);
    expect(first.output()).toMatch(/admin key, shown only this once: ob_admin_\S{32}/);
    const status = async () => (await fetch(`${gateway}/wxa/getwxadevinfo`)).status;
    expect(await status()).toBe(403);

    writeConfig(folder.path, simulator.origin, { openapi: { allow: ['/wxa/getwxadevinfo'] } });
    await expect.poll(status, { timeout: 10_000 }).toBe(200);

    writeFileSync(config, '{ "apps": [');
    await expect.poll(first.output, { timeout: 10_000 }).toContain('the former one stays in force');
    expect(await status()).toBe(200);

    const exited = exitOf(first.child);
    first.child.kill('SIGTERM');
    expect(await exited).toBe(0);

    writeConfig(folder.path, simulator.origin);
    const second = start('serve', '--config', config);
    await gatewayOf(second.output);
    expect(second.output()).not.toContain('ob_admin_');
  }, 60_000);

  it('refuses to start with every fault at once, and tells how to mend them', async () => {
    const config = join(folder.path, 'open-bridge.json');
    writeFileSync(
      config,
      JSON.stringify({
        apps: [{ name: 'a b', platform: 'weixin-xx', appid: '', secret: '${env:NO_SUCH}' }],
        listen: { gateway: '0.0.0.0:7280' },
      }),
    );
    const { code, err } = await finish('serve', '--config', config);
    expect(code).toBe(1);
    for (const part of [
      'apps[0].name',
      'apps[0].platform',
      'apps[0].appid',
      'NO_SUCH',
      'open-bridge keys new',
    ])
      expect(err).toContain(part);
    expect(err).not.toContain('    at ');
  });

  it('refuses to be an open relay', async () => {
    const config = writeConfig(folder.path, simulator.origin, {
      listen: { control: '127.0.0.1:0', gateway: '0.0.0.0:0' },
    });
    const { code, err } = await finish('serve', '--config', config);
    expect(code).toBe(1);
    expect(err).toContain('callers');
  });

  it('says which key is wrong, and that a port is taken', async () => {
    const config = writeConfig(folder.path, simulator.origin);
    const running = start('serve', '--config', config);
    const gateway = await gatewayOf(running.output);
    await expect.poll(async () => (await fetch(`${gateway}/wxa/getwxadevinfo`)).status).toBe(200);
    const taken = new URL(gateway).port;
    const clash = writeConfig(join(folder.path, 'other'), simulator.origin, {
      listen: { control: '127.0.0.1:0', gateway: `127.0.0.1:${taken}` },
    });
    const { code, err } = await finish('serve', '--config', clash);
    expect(code).toBe(1);
    expect(err).toContain('EADDRINUSE');
    expect(err).toContain('listen.gateway');

    const tlsClash = writeConfig(join(folder.path, 'third'), simulator.origin, {
      listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:0', gatewayTls: `127.0.0.1:${taken}` },
    });
    expect(await finish('serve', '--config', tlsClash)).toMatchObject({
      code: 1,
      err: expect.stringContaining('listen.gatewayTls'),
    });
  }, 30_000);
});

describe('other commands', () => {
  it('keys new writes a key that only its owner reads, and never over another', async () => {
    const made = await finish('keys', 'new', '--out', 'keys/seal.key');
    expect(made.code).toBe(0);
    const path = join(folder.path, 'keys', 'seal.key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const key = readFileSync(path, 'utf8').trim();
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    const again = await finish('keys', 'new', '--out', 'keys/seal.key');
    expect(again.code).toBe(1);
    expect(again.err).toContain('EEXIST');
    expect(readFileSync(path, 'utf8').trim()).toBe(key);
    expect(made.out + again.err).not.toContain(key);
  });

  it('config check reports faults as JSON and by exit status', async () => {
    const config = writeConfig(folder.path, simulator.origin);
    expect((await finish('config', 'check', config)).code).toBe(0);
    writeConfig(folder.path, simulator.origin, { openapi: { allow: ['wxa/x', 'https://h/x'] } });
    const { code, out } = await finish('config', 'check', config, '--json');
    expect(code).toBe(1);
    const { faults } = JSON.parse(out);
    expect(faults.map((fault: { path: string }) => fault.path)).toEqual([
      'openapi.allow[0]',
      'openapi.allow[1]',
    ]);
  });

  it('credentials list and rotate speak to a running bridge', async () => {
    const config = writeConfig(folder.path, simulator.origin);
    const running = start('serve', '--config', config);
    await gatewayOf(running.output);
    const url = /"control":"([^"]+)"/.exec(running.output())?.[1] ?? '';
    await expect
      .poll(async () => (await finish('credentials', 'list', '--url', url)).out, { timeout: 10_000 })
      .toMatch(/shop .* epoch 1/);
    const rotated = await finish('credentials', 'rotate', 'shop', '--url', url, '--json');
    expect(JSON.parse(rotated.out)).toMatchObject({
      ...{ app: 'shop', epoch: 2, failure: null, outcome: 'replaced' },
    });
    const gone = await finish('credentials', 'list', '--url', 'http://127.0.0.1:9');
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('is it running there?') });
  }, 30_000);

  it('dev prints commands that do what it says', async () => {
    const { output } = start(
      'dev',
      '--data',
      'dev',
      '--simulator-port',
      '0',
      '--control-port',
      '0',
      '--gateway-port',
      '0',
      '--gateway-tls-port',
      '0',
    );
    await expect.poll(output, { timeout: 15_000 }).toContain('Stop with Ctrl-C.');
    const commands = output()
      .split('\n')
      .map(line => line.trim())
      .filter(line => line.startsWith('curl '));
    expect(commands).toHaveLength(4);
    const printed = await Promise.all(
      commands.map(command => run('sh', ['-c', command], { cwd: folder.path })),
    );
    expect(JSON.parse(printed[0]?.stdout ?? '')).toMatchObject({ errcode: 0, result: { suggest: 'pass' } });
    expect(readFileSync(join(folder.path, 'qrcode.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(printed[2]?.stdout).toMatch(/^HTTP\/1\.1 403 [\s\S]*x-openapi-seqid[\s\S]*85107/i);
    expect(JSON.parse(printed[3]?.stdout ?? '')).toEqual({
      access_token: expect.stringMatching(/^\S{100,}$/),
    });
  }, 30_000);
});
