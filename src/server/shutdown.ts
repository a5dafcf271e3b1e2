import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ShutdownSettings } from '../config/shutdown.ts';
import type { HttpListener } from '../gateway/listener.ts';

/** Takes all listeners of a process out of service, so that no call is lost. */
export interface Shutdown {
  /** Whether whoever sends calls here should send them elsewhere. */
  readonly draining: boolean;
  add(listener: Pick<HttpListener, 'drain' | 'close'>): void;
  /** Serves on, not ready any more, until those who send calls here have had time to notice. */
  drain(): Promise<void>;
  /** Stops accepting, and resolves when the calls under way are answered or their time is up. */
  close(): Promise<void>;
}

/** Makes it; `settings` is asked when the time has come. */
export function createShutdown(options: {
  readonly settings: () => ShutdownSettings;
  readonly clock: Clock;
  readonly log: Log;
}): Shutdown {
  const { settings, clock, log } = options;
  const listeners: Pick<HttpListener, 'drain' | 'close'>[] = [];
  let draining = false;
  return {
    get draining() {
      return draining;
    },
    add: listener => void listeners.push(listener),
    async drain() {
      draining = true;
      const { drainMs } = settings();
      if (drainMs === 0) return;
      log.info({ drainMs }, 'stopping: not ready any more, and serving on for a while');
      for (const listener of listeners) listener.drain();
      await clock.sleep(drainMs);
    },
    async close() {
      const { timeoutMs } = settings();
      await Promise.all(listeners.map(listener => listener.close(timeoutMs)));
    },
  };
}
