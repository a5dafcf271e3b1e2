import type { CallerDirectory } from '../../access/callers.ts';
import type { AppDirectory } from '../../credentials/apps.ts';
import type { Platform } from '../../platforms/platform.ts';

/** Label of everything beyond a bound. No app or caller can be named so: configured names begin with a letter or digit. */
export const OTHER = '_other';
/** Label of a call that has no app, or no known caller. */
export const NONE = '_none';
/** Label of paths without a label of their own; paths begin with a slash. */
export const OTHER_PATH = 'other';

/** Who everyone on the same machine is until callers are configured. */
const LOCAL = 'local';
/** Most paths with a label of their own: each is two histograms. */
const MOST_PATHS = 100;

/**
 * The names that may become labels: those an operator wrote into the configuration, never a caller's
 * words. That is what bounds the number of series.
 */
export interface Names {
  readonly apps: ReadonlySet<string>;
  /** Apps beyond the bound, which share the label `_other`. */
  readonly appsOmitted: number;
  readonly callers: ReadonlySet<string>;
  /** Exact paths, and folders as `/wxa/*`, in the words of the allow-list. */
  readonly paths: readonly string[];
}

/** What names come from. */
export interface NameSources {
  readonly apps: AppDirectory;
  readonly callers: CallerDirectory;
  readonly platforms: Iterable<Platform>;
  readonly allow: readonly string[];
  readonly maxApps: number;
}

/** Reads the names that may become labels, as at the start and after a reload. */
export function readNames({ apps, callers, platforms, allow, maxApps }: NameSources): Names {
  const all = apps.all();
  const answeredHere = [...platforms].flatMap(({ tokenPaths, ticketPath }) => [
    ...Object.keys(tokenPaths),
    ...(ticketPath === undefined ? [] : [ticketPath.path]),
  ]);
  return {
    apps: new Set(all.slice(0, maxApps).map(app => app.name)),
    appsOmitted: Math.max(0, all.length - maxApps),
    callers: new Set([LOCAL, ...callers.all().map(caller => caller.name)]),
    paths: [...new Set([...answeredHere, ...allow])].slice(0, MOST_PATHS),
  };
}

/** Finds the label of a path: the path itself if it is listed, else the narrowest folder it is in. */
export function createPathLabels<T>(
  paths: readonly string[],
  make: (label: string) => T,
): { of(path: string): T; all(): IterableIterator<[label: string, made: T]> } {
  const made = new Map([...paths, OTHER_PATH].map(label => [label, make(label)]));
  const folders = paths.some(path => path.endsWith('/*'));
  const other = made.get(OTHER_PATH) as T;
  return {
    all: () => made.entries(),
    of(path) {
      const exact = made.get(path);
      if (exact !== undefined) return exact;
      if (!folders) return other;
      for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
        // `/wxa/` itself is not below `/wxa/*`, as in the allow-list.
        const folder = slash < path.length - 1 ? made.get(`${path.slice(0, slash)}/*`) : undefined;
        if (folder !== undefined) return folder;
        if (slash === 0) break;
      }
      return other;
    },
  };
}
