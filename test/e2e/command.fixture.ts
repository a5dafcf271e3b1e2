import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** What a command came to. */
export interface Finished {
  readonly code: number | string | null;
  readonly out: string;
  readonly err: string;
}

/** `open-bridge serve` in a process of its own. */
export interface Served {
  readonly gateway: string;
  readonly control: string;
  readonly gatewayTls: string;
  /** Everything it printed. */
  output(): string;
  /** Resolves when it has printed this so often. */
  printed(text: string, times?: number): Promise<void>;
  /** Resolves to the exit code once it has ended; null when it did not end by itself. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/** Runs `open-bridge …` in a folder to its end. */
export function runIn(folder: string): (...args: string[]) => Promise<Finished> {
  return (...args) =>
    new Promise(resolve => {
      const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
      execFile(process.execPath, [MAIN, ...args], options, (error, out, err) =>
        resolve({ code: error === null ? 0 : (error.code ?? null), out, err }),
      );
    });
}

/** Starts a bridge in a folder; it ends with the test. `main` is the program's main file. */
export async function serveIn(folder: string, config = 'open-bridge.json', main = MAIN): Promise<Served> {
  const child = spawn(process.execPath, [main, 'serve', '--config', config], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += chunk));
  onTestFinished(async () => void (await kill(child, 'SIGKILL')));
  const printed = (wanted: string, times = 1): Promise<void> =>
    expect
      .poll(() => text.split(wanted).length > times || child.exitCode !== null, { timeout: 20_000 })
      .toBe(true);
  await printed('open-bridge is ready');
  const origin = (name: string): string => new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1] ?? text;
  return {
    gateway: origin('gateway'),
    control: origin('control'),
    gatewayTls: origin('gatewayTls'),
    output: () => text,
    printed,
    kill: signal => kill(child, signal),
  };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}

/** All that a SQLite database holds, with its log, as bytes. */
export function bytesOfDatabase(folder: string, name = 'open-bridge.db'): Buffer {
  const files = readdirSync(folder).filter(each => each.startsWith(name));
  return Buffer.concat(files.map(file => readFileSync(join(folder, file))));
}
