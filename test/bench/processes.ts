import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a process gets to end on its own word before it is killed. */
const STOP_MS = 5000;

/** How often a starting server is tried. */
const PROBE_MS = 2;

/** What a child process is started with. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** The one core it may use; undefined for any. */
  readonly core: number | undefined;
  /** File that standard output and standard error are appended to. */
  readonly logFile: string;
}

/** A running child process, its own children included. */
export interface Running {
  readonly pid: number;
  stop(): Promise<void>;
}

/** All child processes of a run, so that none outlives it. */
export interface Processes {
  start(command: Command): Running;
  /** Takes a process that was started by other means. */
  own(running: Running): void;
  stopAll(): Promise<void>;
}

/** Makes the keeper of child processes. */
export function createProcesses(): Processes {
  const alive = new Set<Running>();
  return {
    start(command) {
      const child = spawnPinned(command);
      const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
      const running: Running = {
        pid: child.pid ?? 0,
        async stop() {
          alive.delete(running);
          child.kill('SIGTERM');
          const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
          await ended;
          clearTimeout(late);
        },
      };
      if (child.pid !== undefined) alive.add(running);
      return running;
    },
    own: running => void alive.add(running),
    async stopAll() {
      await Promise.all([...alive].map(running => running.stop()));
      alive.clear();
    },
  };
}

function spawnPinned({ file, args, env, cwd, core, logFile }: Command): ChildProcess {
  const log = openSync(logFile, 'a');
  // taskset replaces itself with the command, so the process id is the command's own.
  const [program, rest] =
    core === undefined ? [file, args] : ['taskset', ['-c', String(core), file, ...args]];
  const child = spawn(program, rest, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  child.on('error', () => {});
  closeSync(log);
  return child;
}

/** Runs a program on one core to its end and gives its standard output. Throws with its standard error when it fails. */
export async function run(file: string, args: readonly string[], core: number | undefined): Promise<string> {
  const [program, rest] =
    core === undefined ? [file, args] : ['taskset', ['-c', String(core), file, ...args]];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', chunk => {
    out += chunk;
  });
  child.stderr.on('data', chunk => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}: ${err.slice(0, 2000)}`);
  return out;
}

/** Full path of a program, or undefined when this machine has none. */
export function findProgram(name: string): string | undefined {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { env: { PATH: path }, encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** Asks until the answer is 200. Rejects after `patienceMs` with the last thing seen. */
export async function untilAnswers(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  patienceMs = 20_000,
): Promise<void> {
  const end = performance.now() + patienceMs;
  let last = 'nothing';
  while (performance.now() < end) {
    last = await probe(port, path, headers);
    if (last === '200') return;
    await delay(PROBE_MS);
  }
  throw new Error(`no 200 from port ${port}${path}: ${last}`);
}

function probe(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise(resolve => {
    const req = request({ host: '127.0.0.1', port, path, headers, agent: false }, res => {
      let text = '';
      res.on('data', chunk => {
        text += chunk;
      });
      res.on('end', () =>
        resolve(res.statusCode === 200 ? '200' : `${res.statusCode} ${text.slice(0, 300)}`),
      );
    });
    req.on('error', error => resolve(error.message));
    req.end();
  });
}

/** Processor time a process and its children have used so far, in milliseconds. */
export function cpuMs(pid: number): number {
  let ticks = 0;
  for (const each of familyOf(pid)) {
    // The name in parentheses may hold spaces; what follows it does not.
    const fields = readProc(each, 'stat').split(') ')[1]?.split(' ') ?? [];
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks * TICK_MS;
}

/** Memory in use by a process and its children (resident set), in MiB. */
export function rssMib(pid: number): number {
  let kib = 0;
  for (const each of familyOf(pid)) kib += Number(/VmRSS:\s+(\d+)/.exec(readProc(each, 'status'))?.[1] ?? 0);
  return kib / 1024;
}

const TICK_MS = 1000 / Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout?.trim() || 100);

function familyOf(pid: number): number[] {
  const children = readProc(pid, `task/${pid}/children`).trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap(child => familyOf(Number(child))))];
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
