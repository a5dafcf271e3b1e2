/**
 * Runs inside a namespace where api.weixin.qq.com is this machine: starts simulator and bridge with the
 * gateway on port 80, runs each client given as JSON, and prints what they printed as JSON.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startTestBridge } from '../support/bridge.ts';

const run = promisify(execFile);
const clients = JSON.parse(process.argv[2] ?? '{}') as Record<string, Record<string, string[]>>;

const bridge = await startTestBridge({
  config: { listen: { control: '127.0.0.1:0', gateway: '127.0.0.1:80' } },
});
const outputs: Record<string, Record<string, string>> = {};
for (const [client, calls] of Object.entries(clients)) {
  const printed: Record<string, string> = {};
  for (const [name, [command = '', ...args]] of Object.entries(calls)) {
    printed[name] = (await run(command, args, { timeout: 20_000 })).stdout;
  }
  outputs[client] = printed;
}
process.stdout.write(JSON.stringify(outputs));
await bridge.close();
process.exit(0);
