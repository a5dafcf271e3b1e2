import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Batch } from './sqlite-batch.ts';

/** What the thread is started with. */
export interface BatchThreadData {
  readonly path: string;
  readonly busyTimeoutMs: number;
}

/** What the thread says of each batch, in the order they came. */
export type BatchAnswer =
  | { readonly changes: number }
  | { readonly message: string; readonly errcode: number | undefined };

/** Writes masses of rows without stopping the event loop. */
export interface Batches {
  /** Resolves to the number of rows changed; rejects with an error that carries SQLite's `errcode`. */
  run(batch: Batch): Promise<number>;
  /** Runs what was given so far, then ends. */
  close(): Promise<void>;
}

/** The thread may wait for a lock as long as it takes: nothing else waits for it. */
const BUSY_TIMEOUT_MS = 5000;

interface Waiting {
  readonly resolve: (changes: number) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Batches for a database file, written by a thread over a connection of its own: rows, indexes and
 * checkpoints of masses of rows would otherwise stop everything else for milliseconds at a time. The
 * thread is started by the first batch, and again should it die.
 */
export function openBatches(path: string): Batches {
  let thread: Worker | undefined;
  let waiting: Waiting[] = [];
  let closed = false;

  function start(): Worker {
    const file = import.meta.url.endsWith('.ts') ? './sqlite-batch-thread.ts' : './sqlite-batch-thread.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      workerData: { path, busyTimeoutMs: BUSY_TIMEOUT_MS } satisfies BatchThreadData,
      // Neither flags nor variables of this process concern it.
      execArgv: [],
      env: {},
    });
    worker.on('message', (answer: BatchAnswer) => {
      const { resolve, reject } = waiting.shift() as Waiting;
      if ('changes' in answer) resolve(answer.changes);
      else reject(Object.assign(new Error(answer.message), { errcode: answer.errcode }));
      if (waiting.length === 0) worker.unref();
    });
    worker.on('error', error => fail(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => fail(worker, new Error('the thread that writes ended')));
    return worker;
  }

  function fail(worker: Worker, error: Error): void {
    if (thread !== worker) return;
    thread = undefined;
    const left = waiting;
    waiting = [];
    for (const { reject } of left) reject(error);
  }

  return {
    run({ sql, rows }) {
      if (closed) return Promise.reject(new Error('database is not open'));
      thread ??= start();
      const worker = thread;
      return new Promise((resolve, reject) => {
        worker.ref();
        waiting.push({ resolve, reject });
        worker.postMessage({ sql, rows } satisfies Batch);
      });
    },
    async close() {
      closed = true;
      if (thread === undefined) return;
      const exited = once(thread, 'exit');
      thread.ref();
      thread.postMessage('close');
      await exited;
    },
  };
}
