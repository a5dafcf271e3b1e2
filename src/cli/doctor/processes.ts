import { spawn } from 'node:child_process';
import { systemClock } from '../../base/clock.ts';
import { connectionsOf, type Endpoint, traces } from './connections.ts';

/** How often the connections of a watched program are looked at: a refused handshake on one machine takes little longer. */
const LOOK_EVERY_MS = 1;

/** What a watched program did. */
export interface Watched {
  /** Exit status; undefined when it was ended by a signal or could not be started. */
  readonly code: number | undefined;
  /** Why it could not be started. */
  readonly failure: string | undefined;
  /** Where it and its children connected to; undefined where this cannot be seen. */
  readonly connections: readonly Endpoint[] | undefined;
  /** Ends of all connections of this machine that arose meanwhile: they show also what was too short to see. */
  readonly traces: readonly Endpoint[];
}

/** Programs as the doctor uses them. */
export interface Processes {
  /** Runs a program to its end, with the environment it would have without us. */
  watch(command: readonly string[]): Promise<Watched>;
}

/** Real programs. Their output goes to standard error, so that standard output is the doctor's alone. */
export const systemProcesses: Processes = {
  async watch([program = '', ...args]) {
    const before = traces();
    const child = spawn(program, args, { stdio: [0, 2, 2] });
    const ended = new Promise<Pick<Watched, 'code' | 'failure'>>(resolve => {
      child.once('error', error =>
        resolve({ code: undefined, failure: (error as NodeJS.ErrnoException).code ?? error.message }),
      );
      child.once('exit', code => resolve({ code: code ?? undefined, failure: undefined }));
    });
    const seen = new Map<string, Endpoint>();
    const over = new AbortController();
    ended.finally(() => over.abort());
    let visible = false;
    while (!over.signal.aborted && child.pid !== undefined) {
      const now = connectionsOf(child.pid);
      if (now !== undefined) visible = true;
      for (const endpoint of now ?? []) seen.set(`${endpoint.address} ${endpoint.port}`, endpoint);
      await systemClock.sleep(LOOK_EVERY_MS, over.signal).catch(() => {});
    }
    const fresh = [...traces()].filter(([name]) => !before.has(name)).flatMap(([, ends]) => ends);
    return { ...(await ended), connections: visible ? [...seen.values()] : undefined, traces: fresh };
  },
};
