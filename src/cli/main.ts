#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { Command } from 'commander';
import { BridgeError } from '../base/errors.ts';
import { ClientError } from '../client/client.ts';
import { callersCommand } from './callers.ts';
import { callsCommand } from './calls.ts';
import { configCommand } from './config.ts';
import type { CliContext } from './context.ts';
import { credentialsCommand } from './credentials.ts';
import { devCommand } from './dev.ts';
import { doctorCommand } from './doctor.ts';
import { keysCommand } from './keys.ts';
import { serveCommand } from './serve.ts';
import { simulatorCommand } from './simulator.ts';
import { usageCommand } from './usage.ts';

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

const program = new Command('open-bridge')
  .description('credential authority and auth-free gateway for WeChat and its sibling open platforms')
  .version(version)
  .showHelpAfterError();

for (const make of [
  serveCommand,
  devCommand,
  simulatorCommand,
  credentialsCommand,
  callersCommand,
  callsCommand,
  usageCommand,
  configCommand,
  keysCommand,
  doctorCommand,
]) {
  program.addCommand(make(context));
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BridgeError) && !(error instanceof ClientError)) throw error;
  context.err(`open-bridge: ${error.message}`);
  if (error instanceof BridgeError && error.hint !== undefined) context.err(`  ${error.hint}`);
  process.exitCode = 1;
}
