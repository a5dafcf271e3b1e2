import type { Command } from 'commander';
import { type Client, createClient } from '../client/client.ts';
import type { CliContext } from './context.ts';

/** Options of every command that speaks to a running bridge. */
export interface RemoteOptions {
  readonly url: string;
  readonly json?: boolean;
}

/** Adds the options that all commands to a running bridge have. */
export function remote(context: CliContext, command: Command): Command {
  return command
    .option(
      '--url <url>',
      'control API of the bridge',
      context.env['OPEN_BRIDGE_URL'] ?? 'http://127.0.0.1:7200',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nSends OPEN_BRIDGE_ADMIN_KEY or OPEN_BRIDGE_CALLER_KEY from the environment when set.',
    );
}

/** A client with the keys of the environment: on a command line every user of the machine could read them. */
export function clientFor({ env }: CliContext, { url }: RemoteOptions): Client {
  return createClient({
    url,
    adminKey: env['OPEN_BRIDGE_ADMIN_KEY'],
    callerKey: env['OPEN_BRIDGE_CALLER_KEY'],
  });
}
