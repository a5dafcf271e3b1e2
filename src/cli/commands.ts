import { Command } from 'commander';
import { BridgeError } from '../base/errors.ts';
import { ClientError } from '../client/client.ts';
import type { CliContext } from './context.ts';
import { keepYoungGenerationSmall } from './young-generation.ts';

/** The commands, in the order help lists them. Each is loaded only when it runs: `serve` has no use for a simulator in its memory. */
export const COMMANDS: Readonly<Record<string, () => Promise<(context: CliContext) => Command>>> = {
  serve: async () => {
    keepYoungGenerationSmall();
    return (await import('./serve.ts')).serveCommand;
  },
  dev: async () => (await import('./dev.ts')).devCommand,
  simulator: async () => (await import('./simulator.ts')).simulatorCommand,
  credentials: async () => (await import('./credentials.ts')).credentialsCommand,
  callers: async () => (await import('./callers.ts')).callersCommand,
  calls: async () => (await import('./calls.ts')).callsCommand,
  audit: async () => (await import('./audit.ts')).auditCommand,
  usage: async () => (await import('./usage.ts')).usageCommand,
  data: async () => (await import('./data.ts')).dataCommand,
  config: async () => (await import('./config.ts')).configCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
};

/** Runs the command that the words name. Resolves to the exit status: 1 when it could not do its work, which it has said. */
export async function runCommand(words: readonly string[], context: CliContext): Promise<number> {
  const program = new Command('open-bridge')
    .description('credential authority and auth-free gateway for WeChat and its sibling open platforms')
    .version(context.version)
    .showHelpAfterError();
  const [named = ''] = words;
  const wanted = Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
  for (const name of wanted) {
    const make = await COMMANDS[name]?.();
    if (make !== undefined) program.addCommand(make(context));
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof BridgeError) && !(error instanceof ClientError)) throw error;
    context.err(`open-bridge: ${error.message}`);
    if (error instanceof BridgeError && error.hint !== undefined) context.err(`  ${error.hint}`);
    return 1;
  }
}
