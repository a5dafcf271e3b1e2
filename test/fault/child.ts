import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { works } from '../support/namespace.ts';

/** How much of what a process wrote last is kept in memory. */
const TAIL_CHARACTERS = 4000;

/** A process of the run. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** What it wrote last. */
  tail(): string;
  /** Resolves to the first line that it writes and `matches`; rejects when it ends before. */
  line(matches: (line: string) => boolean): Promise<string>;
}

/** How a process is started. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Where all that it writes goes. */
  readonly logFile: string;
  /** Another user than the one who runs this. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** What it is sent when this process dies without having ended it. */
  readonly deathSignal?: 'KILL' | 'QUIT';
}

const hasSetpriv = works('setpriv', '--pdeathsig', 'KILL', 'true');

/** Starts a process that does not outlive this one. */
export function startChild({ command, args, logFile, user, deathSignal = 'KILL' }: ChildOptions): Child {
  const words = [...guarded(user, deathSignal), command, ...args];
  const [program = command, ...rest] = words;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], ...(!hasSetpriv && user) });
  const log = createWriteStream(logFile, { flags: 'a' });
  let tail = '';
  let open = '';
  const waiting = new Set<{ matches: (line: string) => boolean; found: (line: string) => void }>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      log.write(text);
      tail = (tail + text).slice(-TAIL_CHARACTERS);
      if (waiting.size > 0) open = readLines(open + text, waiting);
    });
  }
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      log.end();
      resolve();
    });
  });
  // Whoever waits for it is told; who does not must not bring the run down.
  ended.catch(() => {});
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    ended,
    isRunning,
    signal: signal => void child.kill(signal),
    async end(signal) {
      if (isRunning()) child.kill(signal);
      await ended;
    },
    tail: () => tail,
    line: matches => firstLine(child, matches, waiting, () => tail),
  };
}

/** The words before a command that tie its life to ours and change its user. */
function guarded(user: ChildOptions['user'], deathSignal: string): readonly string[] {
  if (!hasSetpriv) return [];
  const identity =
    user === undefined ? [] : ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
  return ['setpriv', ...identity, '--pdeathsig', deathSignal];
}

type Waiting = Set<{ readonly matches: (line: string) => boolean; readonly found: (line: string) => void }>;

/** Tells those who wait of the whole lines; returns what is not a whole line yet. */
function readLines(text: string, waiting: Waiting): string {
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  for (const line of lines) for (const each of waiting) if (each.matches(line)) each.found(line);
  return rest;
}

function firstLine(
  child: ChildProcess,
  matches: (line: string) => boolean,
  waiting: Waiting,
  tail: () => string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const entry = {
      matches,
      found(line: string) {
        waiting.delete(entry);
        child.off('exit', onExit);
        resolve(line);
      },
    };
    const onExit = (code: number | null, signal: string | null): void => {
      waiting.delete(entry);
      reject(new Error(`the process ended (${code ?? signal}): ${tail()}`));
    };
    waiting.add(entry);
    child.once('exit', onExit);
  });
}

/** A user that servers may run as which refuse to run as root; undefined when we are not root. */
export function helperUser(): ChildOptions['user'] {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (flag: string): number => Number(execFileSync('id', [flag, name], { stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // The next one may exist.
    }
  }
  return { uid: 65_534, gid: 65_534 };
}
