import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, createBatchRunner } from './sqlite-batch.ts';
import type { BatchAnswer, BatchThreadData } from './sqlite-batches.ts';

/** The thread behind `openBatches`: runs one batch after the other until the port is closed. */

const port = parentPort;
if (port === null) throw new TypeError('this file is the program of a worker thread');
const { path, busyTimeoutMs } = workerData as BatchThreadData;

let open: { readonly database: DatabaseSync; readonly run: (batch: Batch) => number } | undefined;

function connection() {
  if (open !== undefined) return open;
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  // A commit then survives a crash of the program, not always one of the machine; a later full commit secures it too.
  database.exec('pragma synchronous = normal');
  open = { database, run: createBatchRunner(database) };
  return open;
}

port.on('message', (batch: Batch | 'close') => {
  if (batch === 'close') {
    open?.database.close();
    port.close();
    return;
  }
  port.postMessage(answerTo(batch));
});

function answerTo(batch: Batch): BatchAnswer {
  try {
    return { changes: connection().run(batch) };
  } catch (error) {
    const { message, errcode } = error as Error & { readonly errcode?: number };
    return { message, errcode };
  }
}
