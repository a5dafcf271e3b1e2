import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A bridge in a process of its own, whose clock the test moves. */
export interface BridgeProcess {
  readonly pid: number;
  readonly gateway: string;
  readonly control: string;
  /** Everything it wrote to standard output and standard error. */
  output(): string;
  /** Moves its clock on; resolves when that has happened. */
  advance(ms: number): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** What the parent sends, and what comes back. */
export type ToBridge = { readonly advance: number };
export type FromBridge =
  | { readonly ready: { gateway: number; control: number } }
  | { readonly advanced: number };

const MAIN = fileURLToPath(new URL('./bridge-process-main.ts', import.meta.url));

/** Starts a bridge process with a configuration file; `offsetMs` sets its clock from the start. */
export async function startBridgeProcess(config: string, offsetMs = 0): Promise<BridgeProcess> {
  const child = fork(MAIN, [config, String(offsetMs)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (text += chunk));
  const ready = await next(
    child,
    message => 'ready' in message,
    () => text,
  );
  if (!('ready' in ready)) throw new Error('unreachable');
  return {
    pid: child.pid ?? 0,
    gateway: `http://127.0.0.1:${ready.ready.gateway}`,
    control: `http://127.0.0.1:${ready.ready.control}`,
    output: () => text,
    async advance(ms) {
      child.send({ advance: ms } satisfies ToBridge);
      await next(
        child,
        message => 'advanced' in message,
        () => text,
      );
    },
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

function next(
  child: ChildProcess,
  matches: (message: FromBridge) => boolean,
  output: () => string,
): Promise<FromBridge> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      if (!matches(message as FromBridge)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(message as FromBridge);
    };
    const onExit = (code: number | null, signal: string | null): void =>
      reject(new Error(`bridge process ended (${code ?? signal}): ${output()}`));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}
