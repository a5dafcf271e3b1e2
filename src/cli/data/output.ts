import { appendFile, close, fsync, lstatSync, openSync, rename, unlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { BridgeError } from '../../base/errors.ts';

const files = {
  append: promisify(appendFile),
  sync: promisify(fsync),
  close: promisify(close),
  rename: promisify(rename),
};

/** Where an export goes. */
export interface Output {
  /** Takes lines, without the newline of the last one. */
  write(lines: string): Promise<void>;
  /** Makes it lasting. */
  finish(): Promise<void>;
  /** Leaves nothing behind of an output that is not finished; the file is gone when this returns. */
  discard(): Promise<void>;
}

/**
 * A file that its owner alone can read and that must not exist yet. With `force` it may: it is replaced
 * once the new one is complete, and stays as it is if that fails. Throws BridgeError CONFIG_INVALID when
 * it cannot be written.
 */
export function openOutputFile(path: string, force: boolean): Output {
  if (force) refuseOtherThanFile(path);
  const written = force ? `${path}.partial` : path;
  const fail = (cause: unknown): never => {
    throw cannotWrite(written, cause as NodeJS.ErrnoException, force);
  };
  const file = create(written, fail);
  let over = false;
  return {
    write: lines => files.append(file, `${lines}\n`).catch(fail),
    async finish() {
      await files.sync(file).catch(fail);
      if (force) await files.rename(written, path).catch(fail);
      over = true;
      await files.close(file);
    },
    async discard() {
      if (over) return;
      over = true;
      unlinkSync(written);
      await files.close(file);
    },
  };
}

/** At once, so that no signal comes between the file and whoever is to remove it. */
function create(path: string, fail: (cause: unknown) => never): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (cause) {
    return fail(cause);
  }
}

/** Renaming puts a file in the place of whatever is there, be it a device. */
function refuseOtherThanFile(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== false) return;
  throw new BridgeError('CONFIG_INVALID', `${path} is not a plain file and is not replaced`, {
    hint: 'choose another file, or --out - for standard output',
  });
}

function cannotWrite(path: string, cause: NodeJS.ErrnoException, force: boolean): BridgeError {
  const advice: Readonly<Record<string, string>> = {
    EEXIST: force
      ? 'another export is writing it, or one was killed: remove it if none runs'
      : 'choose another file with --out, or replace this one with --force',
    ENOENT: 'make its folder first, readable by you alone',
    ENOSPC: 'free some space; the unfinished export was removed',
  };
  return new BridgeError('CONFIG_INVALID', `cannot write ${path} (${cause.code})`, {
    cause,
    hint: advice[cause.code ?? ''] ?? 'choose a file in a folder that you may write to',
  });
}
