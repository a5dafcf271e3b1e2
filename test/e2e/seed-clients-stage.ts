/**
 * Runs inside a namespace where api.weixin.qq.com is this machine: starts simulator and bridge with the
 * gateway on ports 80 and 443, trusts its certificate the way the documentation tells, runs each client
 * given as JSON, and prints what they printed as JSON.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestBridge } from '../support/bridge.ts';

const run = promisify(execFile);

/** Commands by client, then by call. */
export type Clients = Record<string, Record<string, readonly string[]>>;

const clients = JSON.parse(process.argv[2] ?? '{}') as Clients;
const bridge = await startTestBridge({
  config: { listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:80', gatewayTls: '127.0.0.1:443' } },
});
const certificate = bridge.bridge.certificateFile ?? '';
const env = {
  ...process.env,
  CURL_CA_BUNDLE: certificate,
  NODE_EXTRA_CA_CERTS: certificate,
  REQUESTS_CA_BUNDLE: certificate,
  JAVA_TOOL_OPTIONS: await trustInJava(),
};

const outputs: Record<string, Record<string, string>> = {};
for (const [client, calls] of Object.entries(clients)) {
  const printed: Record<string, string> = {};
  for (const [name, [command = '', ...args]] of Object.entries(calls)) {
    printed[name] = (await run(command, args, { timeout: 30_000, env })).stdout;
  }
  outputs[client] = printed;
}
process.stdout.write(JSON.stringify(outputs));
await bridge.close();
process.exit(0);

/** Imports the certificate into a copy of Java's own trust store, with the documented keytool call. */
async function trustInJava(): Promise<string> {
  const home = await run('java', ['-XshowSettings:properties', '-version']).then(
    ({ stderr }) => /java\.home = (.+)/.exec(stderr)?.[1]?.trim(),
    () => undefined,
  );
  if (home === undefined || !existsSync(join(home, 'lib/security/cacerts'))) return '';
  const store = join(bridge.folder, 'cacerts');
  copyFileSync(join(home, 'lib/security/cacerts'), store);
  await run(join(home, 'bin/keytool'), [
    ...['-importcert', '-noprompt', '-file', certificate, '-alias', 'apiweixin'],
    ...['-keystore', store, '-storepass', 'changeit'],
  ]);
  return `-Djavax.net.ssl.trustStore=${store}`;
}
