#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { runCommand } from './commands.ts';
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
  out: text => new Promise(taken => process.stdout.write(`${text}\n`, () => taken())),
  err: text => void process.stderr.write(`${text}\n`),
  onSignal: (signal, act) => void process.on(signal, act),
  exit: code => process.exit(code),
};

process.stdout.on('error', error => {
  // Whoever reads a pipe may close it: `| head` has seen enough.
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE')
    context.err(`open-bridge: standard output failed: ${error.message}`);
  process.exit(1);
});

process.exitCode = await runCommand(process.argv.slice(2), context);
