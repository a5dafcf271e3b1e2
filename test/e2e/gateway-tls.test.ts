import { execFile, execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Bridge, startBridge } from '../../src/server/bridge.ts';
import { createSealer, newSealKey } from '../../src/stores/sealing.ts';
import { startTestBridge, type TestBridge, temporaryFolder, writeConfig } from '../support/bridge.ts';
import { type KeptLog, keptLog } from '../support/canary.ts';

const HOST = 'api.weixin.qq.com';
const PATH = '/wxa/getwxadevinfo';

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What a command printed and how it ended; it never fails. */
function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Printed> {
  return new Promise(resolve => {
    execFile(command, args, { timeout: 25_000, env: { ...process.env, ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    );
  });
}

/** Whether a command is there; a test that needs it is skipped, which the report shows, when it is not. */
function has(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

describe('clients that were told to trust the certificate', () => {
  let bridge: TestBridge;
  let port: number;
  let certificate: string;

  beforeAll(async () => {
    bridge = await startTestBridge();
    port = bridge.bridge.gatewayTls?.port ?? 0;
    certificate = bridge.bridge.certificateFile ?? '';
  });
  afterAll(() => bridge.close());

  const curl = (...args: string[]): Promise<Printed> =>
    run('curl', ['-sS', '-w', '\n%{http_version}', '--connect-to', `::127.0.0.1:${port}`, ...args]);

  test.skipIf(!has('curl', '-V')).each([
    ['HTTP/1.1', '--http1.1', '1.1'],
    ['HTTP/2', '--http2', '2'],
  ])('curl, %s', async (_what, option, version) => {
    const { code, out } = await curl(option, '--cacert', certificate, `https://${HOST}${PATH}`);
    expect(code).toBe(0);
    const [body = '', spoken] = out.split('\n');
    expect(JSON.parse(body)).toMatchObject({ errcode: 0 });
    expect(spoken).toBe(version);
  });

  test.skipIf(!has('curl', '-V'))('curl, with 3 MB to send after 100-continue, and a picture', async () => {
    const file = join(bridge.folder, 'big.json');
    writeFileSync(file, JSON.stringify({ path: 'pages/index/index', padding: 'x'.repeat(3_000_000) }));
    for (const option of ['--http1.1', '--http2']) {
      const picture = join(bridge.folder, `code${option}.png`);
      const send = ['-H', 'Expect: 100-continue', '-d', `@${file}`, '-o', picture];
      const { code } = await curl(option, '--cacert', certificate, ...send, `https://${HOST}/wxa/getwxacode`);
      expect(code).toBe(0);
      expect(readFileSync(picture).subarray(1, 4).toString()).toBe('PNG');
    }
  });

  test.skipIf(!has('curl', '-V'))('curl refuses another host, and without the certificate any', async () => {
    expect(await curl('--cacert', certificate, `https://mp.weixin.qq.com${PATH}`)).toMatchObject({
      code: 60,
      err: expect.stringContaining('subject name'),
    });
    expect(await curl(`https://${HOST}${PATH}`)).toMatchObject({ code: 60 });
  });

  test('Node, by NODE_EXTRA_CA_CERTS', async () => {
    const program = `fetch('https://localhost:${port}${PATH}').then(r => r.json()).then(a => console.log(a.errcode))`;
    const trusting = await run(process.execPath, ['-e', program], { NODE_EXTRA_CA_CERTS: certificate });
    expect(trusting).toMatchObject({ code: 0, out: '0\n' });
    expect((await run(process.execPath, ['-e', program])).err).toContain('certificate');
  });

  test.skipIf(!has('python3', '-c', 'import requests'))(
    'Python requests, by REQUESTS_CA_BUNDLE',
    async () => {
      const program = `import requests; print(requests.get('https://localhost:${port}${PATH}').json()['errcode'])`;
      const trusting = await run('python3', ['-c', program], { REQUESTS_CA_BUNDLE: certificate });
      expect(trusting).toMatchObject({ code: 0, out: '0\n' });
      expect((await run('python3', ['-c', program])).err).toContain('CERTIFICATE_VERIFY_FAILED');
    },
  );

  test.skipIf(!has('keytool', '-help') || !has('java', '-version'))(
    'Java, by keytool, HTTP/1.1 and HTTP/2',
    async () => {
      const store = join(bridge.folder, 'cacerts');
      const imported = await run('keytool', [
        ...['-importcert', '-noprompt', '-alias', 'apiweixin', '-file', certificate],
        ...['-keystore', store, '-storepass', 'changeit'],
      ]);
      expect(imported.code).toBe(0);
      const source = join(bridge.folder, 'Client.java');
      writeFileSync(
        source,
        `import java.net.URI; import java.net.http.*;
        public class Client { public static void main(String[] args) throws Exception {
          for (HttpClient.Version version : HttpClient.Version.values()) {
            var request = HttpRequest.newBuilder(URI.create(args[0]))
              .POST(HttpRequest.BodyPublishers.ofString("{\\"content\\":\\"hello\\",\\"openid\\":\\"o\\",\\"scene\\":2,\\"version\\":2}")).build();
            var answer = HttpClient.newBuilder().version(version).build().send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.version() + " " + answer.statusCode());
          } } }`,
      );
      const trust = [`-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit'];
      const { out, err } = await run('java', [
        ...trust,
        source,
        `https://localhost:${port}/wxa/msg_sec_check`,
      ]);
      expect(err).toBe('');
      expect(out).toBe('HTTP_1_1 200\nHTTP_2 200\n');
    },
    60_000,
  );

  test.skipIf(!has('openssl', 'version'))('OpenSSL, by the letter of the standard', async () => {
    const target = ['-connect', `127.0.0.1:${port}`, '-servername', HOST];
    const rules = ['-x509_strict', '-verify_hostname', HOST, '-verify_return_error', '-CAfile', certificate];
    const { out } = await run('sh', ['-c', `openssl s_client ${[...target, ...rules].join(' ')} </dev/null`]);
    expect(out).toContain('Verify return code: 0 (ok)');
  });
});

describe('the certificate authority', () => {
  interface Started {
    readonly bridge: Bridge;
    readonly log: KeptLog;
  }

  async function start(config: string): Promise<Started> {
    const log = keptLog();
    const { settings } = loadConfig({ path: config, env: {} });
    const parts = { instance: 'test', version: '0.0.0-test', tmpDir: tmpdir() };
    const bridge = await startBridge({ settings, clock: systemClock, log, ...parts });
    onTestFinished(() => bridge.close());
    return { bridge, log };
  }

  function folder(): string {
    const made = temporaryFolder();
    onTestFinished(() => made[Symbol.dispose]());
    return made.path;
  }

  /** Nobody is called: without apps nothing is renewed. */
  const quiet = { apps: [], log: { level: 'debug' } };
  const write = (path: string, change: Record<string, unknown> = {}): string =>
    writeConfig(path, 'http://127.0.0.1:9', { ...quiet, ...change });
  const read = (bridge: Bridge): string => readFileSync(bridge.certificateFile ?? '', 'utf8');

  test('is one for all bridges of a database, and outlives them', async () => {
    const path = folder();
    const config = write(path);
    const [one, two] = await Promise.all([start(config), start(config)]);
    expect(one.bridge.certificateFile).toBe(join(path, 'gateway-ca.crt'));
    const certificate = read(one.bridge);
    const { mtimeMs, mode } = statSync(join(path, 'gateway-ca.crt'));
    expect(mode & 0o777).toBe(0o644);
    for (const { bridge } of [one, two]) {
      const url = `https://localhost:${bridge.gatewayTls?.port}/wxa/x`;
      const { out } = await run('curl', ['-sS', '--cacert', join(path, 'gateway-ca.crt'), url]);
      expect(JSON.parse(out)).toHaveProperty('request_id');
    }
    await Promise.all([one.bridge.close(), two.bridge.close()]);
    const again = await start(config);
    expect(read(again.bridge)).toBe(certificate);
    expect(statSync(join(path, 'gateway-ca.crt')).mtimeMs).toBe(mtimeMs);
  });

  test('is another for another database', async () => {
    const [one, two] = await Promise.all([start(write(folder())), start(write(folder()))]);
    expect(read(one.bridge)).not.toBe(read(two.bridge));
  });

  test('keeps its key sealed at rest and out of the log', async () => {
    const path = folder();
    const { bridge, log } = await start(write(path));
    await bridge.close();
    const key = readFileSync(join(path, 'seal.key'), 'utf8');
    const files = readdirSync(path).map(name => readFileSync(join(path, name), 'latin1'));
    const row = files.map(text => /sealed:v1:[0-9a-f]{8}:[\w-]{800,}/.exec(text)?.[0]).find(Boolean) ?? '';
    const opened = createSealer([new Secret(key)]).open(row, 'gateway-ca');
    const { privateKey } = JSON.parse(opened) as { privateKey: string };
    const inside = privateKey.split('\n').slice(1, -2).join('');
    expect(inside.length).toBeGreaterThan(150);
    const bytes = Buffer.from(inside, 'base64').subarray(36, 68);
    for (const text of [...files, log.text()]) {
      expect(text).not.toContain('PRIVATE KEY');
      expect(text).not.toContain(inside.slice(0, 60));
      expect(text).not.toContain(bytes.toString('latin1'));
      expect(text).not.toContain(bytes.toString('hex'));
      expect(text).not.toContain(bytes.toString('base64').slice(1, 40));
    }
  });

  test('is not made anew when the seal key is lost', async () => {
    const path = folder();
    const { bridge } = await start(write(path));
    await bridge.close();
    writeFileSync(join(path, 'seal.key'), newSealKey());
    await expect(start(join(path, 'open-bridge.json'))).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  test('is published where the configuration says', async () => {
    const path = folder();
    const { bridge } = await start(write(path, { gateway: { certificateFile: 'app/cert/certificate.crt' } }));
    expect(bridge.certificateFile).toBe(join(path, 'app/cert/certificate.crt'));
    expect(new X509Certificate(read(bridge)).ca).toBe(true);
  });

  test('that cannot be published is an error at start, with nothing left running', async () => {
    const path = folder();
    writeFileSync(join(path, 'file'), '');
    const config = write(path, { gateway: { certificateFile: 'file/ca.crt' } });
    await expect(start(config)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('file/ca.crt'),
    });
  });

  test('is not made when HTTPS is off, and the listener is not there', async () => {
    const path = folder();
    const { bridge } = await start(write(path, { listen: { gatewayTls: null } }));
    expect(bridge.gatewayTls).toBeUndefined();
    expect(bridge.certificateFile).toBeUndefined();
    expect(readdirSync(path)).not.toContain('gateway-ca.crt');
  });

  test('does not make the gateway an open relay', async () => {
    const path = folder();
    const { bridge } = await start(write(path));
    const { settings } = loadConfig({ path: join(path, 'open-bridge.json'), env: {} });
    const open = { ...settings.listen, gatewayTls: { host: '0.0.0.0', port: 7243 } };
    expect(() => bridge.apply({ ...settings, listen: open })).toThrow(/callers/);
  });

  test('serves HTTPS alone when plain HTTP is off', async () => {
    const path = folder();
    const { bridge } = await start(write(path, { listen: { gateway: null } }));
    expect(bridge.gateway).toBeUndefined();
    expect(bridge.gatewayTls?.port).toBeGreaterThan(0);
  });
});
