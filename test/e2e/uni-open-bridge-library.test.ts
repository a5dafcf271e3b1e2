import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { DCLOUD, SHOP, type Stage, secretOf, startStage } from './uni-open-bridge.fixture.ts';

const LIBRARY = fileURLToPath(new URL('../../src/common/index.ts', import.meta.url));
const KEY = JSON.stringify({ dcloudAppid: DCLOUD, platform: 'weixin-mp' });
const READER = 'canary-reader-key-0123456789';

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program of a team that uses the library, with nothing in its environment but what is given. */
async function run(
  name: string,
  program: string,
  env: Record<string, string> = {},
  cwd = temporaryFolder(),
): Promise<Ended> {
  const file = join(cwd, name);
  writeFileSync(file, program.replaceAll('open-bridge/common', LIBRARY));
  const child = spawn(process.execPath, [file], { cwd, env });
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => (out += chunk));
  child.stderr.on('data', chunk => (err += chunk));
  const [code] = await once(child, 'close');
  return { code, out, err };
}

/** A program of the documentation: CommonJS, two calls, no word of opening or closing anything. */
const COMMON_JS = `
  'use strict';
  const uobc = require('open-bridge/common');
  async function main() {
    const first = await uobc.getAccessToken(${KEY});
    const second = await uobc.getAccessToken(${KEY});
    console.log(JSON.stringify([first, second, uobc.PlatformType.WEIXIN_MP, uobc.ErrorCodeType.SYSTEM_ERROR]));
  }
  main();
`;

function expectToken(stage: Stage, { code, out, err }: Ended): void {
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const [first, second, ...names] = JSON.parse(out);
  expect(first).toEqual({ access_token: expect.any(String) });
  expect(second).toEqual(first);
  expect(names).toEqual(['weixin-mp', 'UNI_OPEN_BRIDGE_SYSTEM_ERROR']);
  expect(stage.simulator.counters(SHOP.appid).stable.calls).toBe(1);
}

it('by require, in the process of its user, which ends by itself', async () => {
  const stage = await startStage();
  expectToken(stage, await run('program.cjs', COMMON_JS, { OPEN_BRIDGE_CONFIG: stage.configPath }));
});

it('by require, with open-bridge.json in the working folder', async () => {
  const stage = await startStage();
  expectToken(stage, await run('program.cjs', COMMON_JS, {}, join(stage.configPath, '..')));
});

it('by require, before a bridge elsewhere', async () => {
  const stage = await startStage({
    config: { callers: [{ name: 'reader', key: READER, scopes: ['credential:read'] }] },
  });
  const env = { OPEN_BRIDGE_URL: stage.control, OPEN_BRIDGE_CALLER_KEY: READER };
  expectToken(stage, await run('program.cjs', COMMON_JS, env));
});

it('by import, with a bridge that the program names', async () => {
  const stage = await startStage();
  const program = `
    import { closeBridge, configureBridge, getAccessToken, OpenBridgeError } from 'open-bridge/common';
    configureBridge({ url: ${JSON.stringify(stage.control)} });
    const token = await getAccessToken(${KEY});
    const refused = await getAccessToken({}).catch(error => error);
    await closeBridge();
    console.log(typeof token.access_token, refused instanceof OpenBridgeError, refused.code, refused.message === refused.errMsg);
  `;
  expect(await run('program.mjs', program)).toEqual({
    ...{ code: 0, err: '', out: 'string true UNI_OPEN_BRIDGE_SYSTEM_ERROR true\n' },
  });
});

it('in many processes at once, for one call to the platform', async () => {
  const stage = await startStage();
  const ended = await Promise.all(
    Array.from({ length: 6 }, () => run('program.cjs', COMMON_JS, { OPEN_BRIDGE_CONFIG: stage.configPath })),
  );
  for (const each of ended) expectToken(stage, each);
  expect(new Set(ended.map(({ out }) => out)).size).toBe(1);
});

it('says where a bridge could be named when nothing names one', async () => {
  const { out } = await run(
    'program.cjs',
    `require('open-bridge/common').getTicket(${KEY}).catch(error => console.log(error.reason, error.errMsg));`,
  );
  expect(out).toMatch(/^CONFIG_INVALID nothing says where the bridge is; set OPEN_BRIDGE_URL/);
});

it('tells every fault of a configuration, and no secret', async () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, 'open-bridge.json'),
    '{ "apps": [{ "name": "shop", "secret": "canary-secret" }] }',
  );
  const program = `require('open-bridge/common').getTicket(${KEY}).catch(error => console.log(error));`;
  const { out, err } = await run('program.cjs', program, {}, folder);
  expect(out).toContain('apps[0].platform');
  expect(out).toContain('storage');
  expect(out + err).not.toContain('canary-secret');
});

it('hands what the operator should know to Node.js, without secrets', async () => {
  const stage = await startStage({ accounts: { shop: { ipWhitelist: [] } } });
  const program = `require('open-bridge/common').getAccessToken(${KEY}).catch(error => console.log(error.code));`;
  const { out, err } = await run('program.cjs', program, { OPEN_BRIDGE_CONFIG: stage.configPath });
  expect(out).toBe('40164\n');
  expect(err).toContain('[OPEN_BRIDGE_ERROR] OpenBridgeWarning: alarm:');
  expect(err).not.toContain(secretOf(SHOP.appid));
});
