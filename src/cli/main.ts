#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { Command } from 'commander';
import { BridgeError } from '../base/errors.ts';
import { ClientError } from '../client/client.ts';
import type { CliContext } from './context.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Everything the commands take from the outside world; nothing below this file touches `process`. */
const context: CliContext = {
  version,
  instance: `${hostname()}:${process.pid}`,
  env: process.env,
  tmpDir: tmpdir(),
  uid: process.getuid?.(),
  out: text => void process.stdout.write(`${text}\n`),
  err: text => void process.stderr.write(`${text}\n`),
  onSignal: (signal, act) => void process.on(signal, act),
  exit: code => process.exit(code),
};

/** The commands, in the order help lists them. Each is loaded only when it runs: `serve` has no use for a simulator in its memory. */
const COMMANDS: Readonly<Record<string, () => Promise<(context: CliContext) => Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  dev: async () => (await import('./dev.ts')).devCommand,
  simulator: async () => (await import('./simulator.ts')).simulatorCommand,
  credentials: async () => (await import('./credentials.ts')).credentialsCommand,
  callers: async () => (await import('./callers.ts')).callersCommand,
  calls: async () => (await import('./calls.ts')).callsCommand,
  usage: async () => (await import('./usage.ts')).usageCommand,
  config: async () => (await import('./config.ts')).configCommand,
  keys: async () => (await import('./keys.ts')).keysCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
};

const program = new Command('open-bridge')
  .description('credential authority and auth-free gateway for WeChat and its sibling open platforms')
  .version(version)
  .showHelpAfterError();

const named = process.argv[2] ?? '';
const wanted = Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS);
for (const name of wanted) {
  const make = await COMMANDS[name]?.();
  if (make !== undefined) program.addCommand(make(context));
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BridgeError) && !(error instanceof ClientError)) throw error;
  context.err(`open-bridge: ${error.message}`);
  if (error instanceof BridgeError && error.hint !== undefined) context.err(`  ${error.hint}`);
  process.exitCode = 1;
}
