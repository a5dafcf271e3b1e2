import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, NEWS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;

beforeEach(async () => {
  folder = temporaryFolder();
  simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
});

afterEach(async () => {
  await simulator.close();
  folder[Symbol.dispose]();
});

/** Runs `open-bridge doctor …`, and makes sure that it tells no secret. */
function doctor(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, OPEN_BRIDGE_ADMIN_KEY: 'canary-admin-key-0123456789' };
  return new Promise(resolve => {
    execFile(process.execPath, [MAIN, 'doctor', ...args], { cwd: folder.path, env }, (error, out, err) => {
      const tokens = [SHOP, NEWS].flatMap(({ appid }) => simulator.state.tokens(appid));
      for (const secret of ['canary', ...tokens]) expect(out + err).not.toContain(secret);
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

describe('open-bridge doctor', () => {
  it('exits with 0, 2 or 1, as nothing is broken, something deserves a look, something is broken', async () => {
    const config = writeConfig(folder.path, simulator.origin);
    const well = await doctor('--config', config);
    expect(well).toMatchObject({ code: 0, out: expect.stringMatching(/^ok {4}configuration/) });
    expect(well.out).toMatch(/nothing is broken: 0 broken, [1-9]/);
    expect((await doctor('--strict')).code).toBe(2);

    simulator.setAccount(SHOP.appid, { ipWhitelist: [] });
    const broken = await doctor();
    expect(broken.code).toBe(1);
    expect(broken.out).toMatch(/FAIL {2}shop: secret +the platform answers 40164/);
    expect(broken.out).toMatch(/^ {6}add 127\.0\.0\.1 to the IP list of wx00000000000000a1/m);
  }, 30_000);

  it('prints JSON alone, whatever the watched program prints', async () => {
    writeConfig(folder.path, simulator.origin);
    const { code, out, err } = await doctor('--json', '--offline', '--', 'echo', 'from the program');
    expect(code).toBe(0);
    expect(err).toContain('from the program');
    const report = JSON.parse(out);
    expect(report).toMatchObject({ config: 'open-bridge.json', counts: { fail: 0 } });
    expect(report.findings).toContainEqual(
      expect.objectContaining({ name: 'program', status: 'warn', advice: expect.any(String) }),
    );
  }, 30_000);

  it('has words for a missing file', async () => {
    const { code, out } = await doctor('--config', join(folder.path, 'none.json'));
    expect(code).toBe(1);
    expect(out).toContain('name the file with --config');
  });
});
