import { execFile, spawnSync } from 'node:child_process';

/** Whoever keeps keys elsewhere answers within seconds, or is away. */
const TIMEOUT_MS = 10_000;

/** A key has 44 characters; what is longer is an error page. */
const MOST_BYTES = 4096;

/** What a program printed, or why it cannot be used. A fault quotes neither what it printed nor its arguments. */
export type CommandResult = { readonly output: string } | { readonly fault: string };

/** Where a program runs. */
export interface CommandPlace {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs a program without a shell, and waits: nothing else happens in this process meanwhile. */
export function runCommand(command: readonly string[], { folder, env }: CommandPlace): CommandResult {
  const [program = '', ...args] = command;
  const { error, status, signal, stdout } = spawnSync(program, args, {
    ...{ cwd: folder, env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MOST_BYTES },
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return judge(program, { code: code ?? signal ?? status ?? 0, output: stdout ?? '' });
}

/** As `runCommand`, while everything else goes on. */
export function runCommandAside(
  command: readonly string[],
  { folder, env }: CommandPlace,
): Promise<CommandResult> {
  const [program = '', ...args] = command;
  const options = {
    cwd: folder,
    env,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: MOST_BYTES,
  } as const;
  return new Promise(resolve => {
    const child = execFile(program, args, options, (error, stdout) => {
      const code =
        error === null ? 0 : error.killed === true ? 'ETIMEDOUT' : (error.code ?? error.signal ?? 1);
      resolve(judge(program, { code, output: stdout }));
    });
    child.stdin?.end();
  });
}

/** Node's words for what went wrong, and ours. */
const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'is not found',
  EACCES: 'may not be run by this user',
  ETIMEDOUT: `did not end within ${TIMEOUT_MS / 1000} s`,
  ENOBUFS: `printed more than ${MOST_BYTES} bytes`,
  ERR_CHILD_PROCESS_STDIO_MAXBUFFER: `printed more than ${MOST_BYTES} bytes`,
};

function judge(
  program: string,
  { code, output }: { readonly code: string | number; readonly output: string },
): CommandResult {
  const name = JSON.stringify(program);
  if (code !== 0) {
    const what =
      FAULTS[code] ?? (typeof code === 'number' ? `ended with status ${code}` : `failed (${code})`);
    return { fault: `the program ${name} ${what}; ${ADVICE}` };
  }
  const text = output.trim();
  return text === '' ? { fault: `the program ${name} printed nothing; ${ADVICE}` } : { output: text };
}

const ADVICE = 'run it by hand as the user of the bridge: it must print one sealing key and nothing else';
