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

  it('looks at apps of all platforms, managed or not, as far as each goes', async () => {
    const others = [
      { appid: 'wx00000000000000c3', secret: 'canary-secret-site-0123456789abcdef', type: 'web' },
      { appid: 'wx00000000000000d4', secret: 'canary-secret-mobile-0123456789abcd', type: 'app' },
      { appid: '1110000005', secret: 'canary-secret-qq-mini-0123456789abc', type: 'qq-mp' },
      { appid: '101000006', secret: 'canary-secret-qq-login-0123456789ab', type: 'qq-app' },
    ] as const;
    for (const account of others) simulator.addAccount({ ...account });
    const [site, mobile, mini, login] = others;
    const app = (name: string, platform: string, { appid, secret }: { appid: string; secret: string }) => ({
      ...{ name, platform, appid, secret },
    });
    const config = {
      apps: [
        app('shop', 'weixin-mp', SHOP),
        { name: 'news', platform: 'weixin-h5', appid: NEWS.appid, managed: false },
        app('site', 'weixin-web', site),
        app('mobile', 'weixin-app', mobile),
        app('qq-mini', 'qq-mp', mini),
        app('qq-login', 'qq-app', login),
      ],
      s2s: { type: 'sign', signKey: 'canary-k4Jx9QmZ2vLw7RtYq0e' },
      ipWhiteList: ['0.0.0.0'],
    };
    writeConfig(folder.path, simulator.origin, config);
    const { code, out } = await doctor();
    expect(code).toBe(0);
    const lines = out.split('\n');
    for (const line of [
      /^warn {2}configuration .*ipWhiteList\[0\]: is no wildcard/,
      /^ok {4}upstream\.weixin /,
      /^ok {4}upstream\.qq /,
      /^ok {4}upstream\.qqConnect /,
      /^ok {4}s2s +callers sign with hmac-sha256/,
      /^warn {2}news: values +no access_token was pushed in, and none is fetched here/,
      /^ok {4}site: values +no access_token was pushed in, and the platform issues none to us/,
      /^ok {4}shop: quota /,
      /^ok {4}site: secret +a login with a made-up code is refused for the code alone/,
      /^ok {4}mobile: secret /,
      /^ok {4}qq-mini: secret .*\(40029\)$/,
      /^ok {4}qq-login: secret .*\(100019\)$/,
    ])
      expect(lines).toContainEqual(expect.stringMatching(line));
    expect(out).not.toMatch(/news: (secret|token)/);

    simulator.setAccount(login.appid, { secret: 'canary-changed-at-the-platform' });
    const broken = await doctor('--app', 'qq-login');
    expect(broken.code).toBe(1);
    expect(broken.out).toMatch(/^FAIL {2}qq-login: secret +the platform answers 100009 /m);
    expect(broken.out).not.toContain('upstream.weixin');
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
