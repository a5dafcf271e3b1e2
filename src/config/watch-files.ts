import { existsSync, type FSWatcher, watch as nodeWatch, readlinkSync, statSync } from 'node:fs';
import { basename, join, parse, relative, resolve, sep } from 'node:path';
import type { Log } from '../base/log.ts';

/** As many symbolic links as Linux follows before it takes them for a loop. */
const MOST_LINKS = 40;

/** Opens a watcher on a folder; `fs.watch` unless a test stands in for it. */
export type WatchFolder = (
  folder: string,
  options: { readonly persistent: boolean },
  listener: (event: string, name: string | null) => void,
) => FSWatcher;

/** Tells of changes to a set of files that may be replaced, linked or not there yet. */
export interface FileWatch {
  /** Takes another set of files over the old one. Returns whether a folder is watched that was not before. */
  follow(files: readonly string[]): boolean;
  close(): void;
}

interface Watched {
  readonly watcher: FSWatcher;
  /** Device and inode: a folder that was replaced needs a new watcher. */
  readonly identity: string;
  names: ReadonlySet<string>;
}

/**
 * Watches files by their folders. A watcher on a file itself would stay with the old file when an editor
 * renames a new one over it, and would never see Kubernetes swap the `..data` link of a mounted volume.
 */
export function watchFiles(options: {
  readonly onEvent: () => void;
  readonly log: Log;
  readonly watch?: WatchFolder | undefined;
}): FileWatch {
  const { onEvent, log, watch = nodeWatch as WatchFolder } = options;
  const watched = new Map<string, Watched>();
  const complained = new Set<string>();

  const drop = (folder: string): void => {
    watched.get(folder)?.watcher.close();
    watched.delete(folder);
  };

  const complain = (folder: string, error: unknown): void => {
    if (complained.has(folder)) return;
    complained.add(folder);
    log.warn({ folder, err: error }, 'changes in this folder are not noticed; reload by hand with SIGHUP');
  };

  const open = (folder: string, names: ReadonlySet<string>): boolean => {
    try {
      const identity = identityOf(folder);
      if (watched.get(folder)?.identity === identity) return false;
      drop(folder);
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // A folder that is itself moved or removed reports its own name.
        const concerns = name === null || watched.get(folder)?.names.has(name) || name === basename(folder);
        if (concerns) onEvent();
      });
      watched.set(folder, { watcher, identity, names });
      watcher.on('error', error => {
        complain(folder, error);
        if (watched.get(folder)?.watcher === watcher) drop(folder);
      });
      complained.delete(folder);
      return true;
    } catch (error) {
      drop(folder);
      complain(folder, error);
      return false;
    }
  };

  return {
    follow(files) {
      const wanted = new Map<string, Set<string>>();
      for (const { folder, name } of files.flatMap(placesOf)) {
        wanted.set(folder, (wanted.get(folder) ?? new Set()).add(name));
      }
      for (const folder of [...watched.keys()]) if (!wanted.has(folder)) drop(folder);
      let opened = false;
      for (const [folder, names] of wanted) {
        if (open(folder, names)) opened = true;
        const entry = watched.get(folder);
        if (entry !== undefined) entry.names = names;
      }
      return opened;
    },
    close() {
      for (const folder of [...watched.keys()]) drop(folder);
    },
  };
}

interface Place {
  readonly folder: string;
  readonly name: string;
}

/**
 * Every directory entry that decides what a path leads to: the file's own, each link on the way, and where
 * a folder is not there yet, that folder.
 */
function placesOf(file: string): readonly Place[] {
  const { root } = parse(file);
  const places: Place[] = [];
  let folder = root;
  let parts = relative(root, file).split(sep);
  for (let links = 0; parts.length > 0 && links <= MOST_LINKS; ) {
    const [name = '', ...rest] = parts;
    const path = join(folder, name);
    const target = linkTarget(path);
    const missing = target === undefined && !existsSync(path);
    if (target !== undefined || missing || rest.length === 0) places.push({ folder, name });
    if (missing) break;
    if (target === undefined) {
      folder = path;
      parts = rest;
    } else {
      links += 1;
      parts = [...relative(root, resolve(folder, target)).split(sep), ...rest];
      folder = root;
    }
  }
  return places;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(folder: string): string {
  const { dev, ino } = statSync(folder);
  return `${dev}:${ino}`;
}
