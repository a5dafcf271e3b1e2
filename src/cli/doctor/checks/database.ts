import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { asBridgeError, BridgeError } from '../../../base/errors.ts';
import { type Check, type Database, type Examination, type Finding, fail, ok, warn } from '../check.ts';
import { judgeServer, newer, older, tryOut } from './database-server.ts';

const MIB = 1024 * 1024;
/** A database of a thousand accounts has a few MiB; below this, logs and other programs will soon fill the disk. */
const LITTLE_SPACE = 200 * MIB;
const NO_SPACE = 5 * MIB;
/** SQLite writes the log back at 4 MiB; one this large is held open by a reader that hangs. */
const LARGE_LOG = 64 * MIB;

/** Whether the database opens, is of this version, takes a write, and has room. */
export const database: Check = {
  name: 'database',
  needs: 'settings',
  async run(exam) {
    const { database } = exam.settings().storage;
    if (database.kind !== 'sqlite') return judgeServer(exam);
    const { path } = database;
    if (path === ':memory:')
      return [
        warn(
          'database',
          'is in memory: every credential and the admin key are gone after a restart',
          'set storage.database to "sqlite:PATH"',
        ),
      ];
    let opened: Database | undefined;
    try {
      opened = await exam.database();
    } catch (error) {
      return [unusable(path, error), ...space(path)];
    }
    if (opened === undefined) return [notThere(path), ...space(path)];
    return [await usable(path, opened, exam), ...space(path), ...log(path)];
  },
};

function unusable(path: string, error: unknown): Finding {
  const { message, hint } = asBridgeError(error);
  return fail(
    'database',
    `${path}: ${error instanceof BridgeError ? message : String(error)}`,
    hint ??
      `check that ${path} is the database, its permissions, and the free space; else restore it from a backup`,
  );
}

function notThere(path: string): Finding {
  const folder = nearestFolder(path);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    if (!statSync(folder).isDirectory()) throw new TypeError('not a folder');
  } catch {
    return fail(
      'database',
      `there is no ${path}, and it cannot be made in ${folder}`,
      `make ${dirname(path)} a folder that this user may write to, or set storage.database to another place`,
    );
  }
  return ok('database', `there is no ${path} yet: the first start makes it`);
}

async function usable(path: string, { version, store }: Database, exam: Examination): Promise<Finding> {
  if (version.foreign.length > 0) return newer(path, version);
  if (store === undefined)
    return older(path, version, 'copy the file before that start if you may want to go back');
  try {
    return ok('database', `${path} is up to date, reads and writes (${await tryOut(store, exam)} ms)`);
  } catch (error) {
    return unusable(path, error);
  }
}

function space(path: string): readonly Finding[] {
  const folder = nearestFolder(path);
  let free: number;
  try {
    const { bavail, bsize } = statfsSync(folder);
    free = bavail * bsize;
  } catch {
    return [];
  }
  const found = `${Math.floor(free / MIB)} MiB free on the disk of ${folder}`;
  const advice = 'make room: without it no credential can be stored, and calls fail one after the other';
  if (free < NO_SPACE) return [fail('disk', found, advice)];
  return [free < LITTLE_SPACE ? warn('disk', found, advice) : ok('disk', found)];
}

function log(path: string): readonly Finding[] {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size < LARGE_LOG) return [];
  return [
    warn(
      'database',
      `its write-ahead log has ${Math.floor(size / MIB)} MiB: something holds it open and keeps it from being written back`,
      `see which process with: lsof ${path}-wal; restart that one`,
    ),
  ];
}

function nearestFolder(path: string): string {
  let folder = dirname(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
