import { open } from 'node:fs/promises';
import { BridgeError } from '../../base/errors.ts';

const CHUNK_BYTES = 256 * 1024;

/** Opens a file, or a pipe such as /dev/stdin, to be read once. Throws BridgeError NOT_FOUND when it cannot be read. */
export async function openInputFile(
  path: string,
  hint = 'give the file that uniCloud or open-bridge data export wrote',
): Promise<AsyncIterable<Uint8Array>> {
  const fail = (cause: NodeJS.ErrnoException): never => {
    throw new BridgeError('NOT_FOUND', `cannot read ${path} (${cause.code})`, {
      cause,
      hint,
    });
  };
  const handle = await open(path).catch(fail);
  const chunks = handle.createReadStream({ highWaterMark: CHUNK_BYTES });
  // A folder opens like a file and fails at the first read: better before a database is touched.
  await new Promise<void>((resolve, reject) => {
    chunks.once('readable', resolve);
    chunks.once('error', reject);
  }).catch(fail);
  return (async function* () {
    try {
      yield* chunks as AsyncIterable<Uint8Array>;
    } catch (cause) {
      fail(cause as NodeJS.ErrnoException);
    }
  })();
}
