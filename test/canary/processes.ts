import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from '../support/redis-server.ts';
import type { Evidence } from './evidence.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const START_MS = 60_000;
/** A key that a bridge makes itself can be learnt nowhere else. */
const SHOWN_ONCE = /admin key, shown only this once: \S+/;

/** `open-bridge …` in a process of its own. */
export interface Running {
  readonly pid: number;
  /** All that it printed, on both streams. */
  output(): string;
  /** Resolves when it has printed this `times` times; rejects when it ends before. */
  printed(text: string, times?: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves to the exit code; what it printed is evidence from then on. */
  ended(): Promise<number | null>;
}

/** Starts commands as users do. */
export interface Processes {
  /** Variables that every process is given; others may be put in. */
  readonly env: Record<string, string>;
  start(...args: readonly string[]): Running;
  /** Runs a command to its end. */
  run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }>;
}

/**
 * Starts processes in a folder. Their arguments, which every user of a machine can read, are evidence, and
 * so is what they print. Their environment is not: it is where users are told to put secrets, and only they
 * and the system's administrator can read it.
 */
export function createProcesses(folder: string, env: Record<string, string>, evidence: Evidence): Processes {
  const start: Processes['start'] = (...args) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => end(child));
    const commandLine = `/proc/${child.pid}/cmdline`;
    if (existsSync(commandLine))
      evidence.add(`arguments of open-bridge ${args[0]}`, readFileSync(commandLine));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
    }
    const closed = once(child, 'close').then(() => {
      evidence.add(`output of open-bridge ${args.slice(0, 2).join(' ')}`, text.replace(SHOWN_ONCE, ''), [
        'id',
      ]);
      return child.exitCode;
    });
    return {
      pid: child.pid ?? 0,
      output: () => text,
      async printed(wanted, times = 1) {
        const count = (): number => text.split(wanted).length - 1;
        await eventually(() => count() >= times || child.exitCode !== null, START_MS);
        if (count() < times) throw new Error(`it ended without saying ${wanted}:\n${text}`);
      },
      signal: signal => void child.kill(signal),
      ended: () => closed,
    };
  };
  return {
    env,
    start,
    async run(...args) {
      const running = start(...args);
      return { code: await running.ended(), output: running.output() };
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
