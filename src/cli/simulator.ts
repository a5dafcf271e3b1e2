import { Command, InvalidArgumentError } from 'commander';
import { startSimulator } from '../simulator/index.ts';
import type { CliContext } from './context.ts';
import { SIMULATED_ACCOUNTS } from './demo.ts';
import { closeOnSignal } from './run-bridge.ts';

/** Reads a port number from the command line. */
export function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('a port is a whole number from 0 to 65535');
  return value;
}

/** `open-bridge simulator`: the platform simulator alone. */
export function simulatorCommand(context: CliContext): Command {
  return new Command('simulator')
    .description(
      'run the stand-in for api.weixin.qq.com, api.q.qq.com and graph.qq.com, for tests of any WeChat or QQ code',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-p, --port <number>', 'port to listen on; 0 takes any free one', port, 7290)
    .option('--seed <text>', 'the same seed gives the same tokens', 'simulator')
    .action(async (options: { host: string; port: number; seed: string }) => {
      const simulator = await startSimulator({ ...options, accounts: [...SIMULATED_ACCOUNTS] });
      closeOnSignal(context, () => simulator.close());
      context.out(`simulator of api.weixin.qq.com, api.q.qq.com and graph.qq.com: ${simulator.origin}`);
      for (const { appid, secret, type } of SIMULATED_ACCOUNTS)
        context.out(`  account ${appid} (${type}), secret ${secret}`);
      context.out(`state and control: ${simulator.origin}/__simulator/state`);
    });
}
