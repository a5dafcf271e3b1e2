import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ConfigFault } from './faults.ts';
import { configError } from './faults.ts';
import type { ConfigCheck, LoadedConfig } from './load.ts';
import type { Settings } from './settings.ts';
import { type WatchFolder, watchFiles } from './watch-files.ts';

/** Writing a file causes several events; this long after the first of them it is read. */
const SETTLE_MS = 100;

/** What watching takes. */
export interface WatchOptions {
  /** The configuration file, as messages name it. */
  readonly path: string;
  /** What is in use now. */
  readonly current: LoadedConfig;
  /** Reads the file again: `createConfigReader({ path, env }, current)`. `again` is for a reload by hand. */
  readonly load: (again: boolean) => ConfigCheck | Promise<ConfigCheck>;
  /** Takes a new configuration. When it throws, that is reported and the old one counts as in use. */
  readonly onChange: (settings: Settings, warnings: readonly ConfigFault[]) => void | Promise<void>;
  /** Told of a configuration that cannot be used, once for each version of it; the old one stays. */
  readonly onFault: (error: BridgeError) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Stands in for `fs.watch`. */
  readonly watch?: WatchFolder;
}

/** What came of reading the configuration again. */
export type ReloadOutcome = 'changed' | 'unchanged' | 'faulty';

/** A configuration file under watch. */
export interface ConfigWatch {
  /** Reads the file now, as on SIGHUP. A version found faulty before is tried and reported again. */
  reload(): Promise<ReloadOutcome>;
  /** Stops watching. Nothing is called after it, except for a change already being taken. */
  close(): void;
}

/**
 * Keeps the configuration in step with its file and the files it refers to. Content decides, not
 * timestamps. Where the system cannot watch, `reload` still works.
 *
 * @example
 * const watch = watchConfig({ path, current, load: createConfigReader({ path, env }, current), onChange, onFault, clock, log });
 * process.on('SIGHUP', () => void watch.reload());
 */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const { path, load, onChange, onFault, clock, log } = options;
  const closing = new AbortController();
  /** Content in use, and content last looked at: they differ while the latter cannot be used. */
  let used = options.current.digest;
  let seen = used;
  let scheduled = false;
  let turn: Promise<unknown> = Promise.resolve();

  const take = async (again: boolean): Promise<ReloadOutcome> => {
    if (closing.signal.aborted) return 'unchanged';
    const next = await load(again);
    if (closing.signal.aborted) return 'unchanged';
    follow(next.files);
    if (next.digest === used) {
      if (seen !== used) log.info({ path }, 'the configuration is again the one in use');
      seen = used;
      return 'unchanged';
    }
    if (next.digest === seen && !again) return 'faulty';
    seen = next.digest;
    if (next.settings === undefined) {
      onFault(configError(path, next.faults));
      return 'faulty';
    }
    try {
      await onChange(next.settings, next.warnings);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const hint = cause instanceof BridgeError ? cause.hint : undefined;
      onFault(
        new BridgeError('CONFIG_INVALID', `the new configuration could not be applied: ${reason}`, {
          cause,
          ...(hint !== undefined && { hint }),
        }),
      );
      return 'faulty';
    }
    used = next.digest;
    return 'changed';
  };

  /** One at a time: two changes in a row must be taken in their order. */
  const queue = (again: boolean): Promise<ReloadOutcome> => {
    const result = turn.then(() => take(again));
    turn = result.catch(() => undefined);
    return result;
  };

  const schedule = (): void => {
    if (scheduled || closing.signal.aborted) return;
    scheduled = true;
    clock
      .sleep(SETTLE_MS, closing.signal)
      .then(() => {
        scheduled = false;
        return queue(false);
      })
      .catch(error => {
        if (!closing.signal.aborted) log.error({ err: error }, 'the configuration could not be read again');
      });
  };

  const files = watchFiles({ onEvent: schedule, log, watch: options.watch });
  const follow = (names: readonly string[]): void => {
    // What happened before the watcher was there made no event, so a new watcher means another look.
    if (files.follow(names)) schedule();
  };
  follow(options.current.files);

  return {
    reload: () => queue(true),
    close() {
      closing.abort();
      files.close();
    },
  };
}
