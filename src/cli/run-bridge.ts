import type { Logger } from 'pino';
import { systemClock } from '../base/clock.ts';
import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { createConfigReader } from '../config/reload.ts';
import { restartNeeded } from '../config/restart.ts';
import type { ListenAddress, Settings } from '../config/settings.ts';
import { watchConfig } from '../config/watch.ts';
import { type Bridge, startBridge } from '../server/bridge.ts';
import { createLogger } from '../server/logger.ts';
import type { CliContext } from './context.ts';

/** A bridge that follows its configuration file. */
export interface RunningBridge {
  readonly bridge: Bridge;
  readonly settings: Settings;
  readonly log: Logger;
  close(): Promise<void>;
}

/** Loads the file, starts a bridge with it, and applies every later change of the file. */
export async function runBridge(context: CliContext, path: string): Promise<RunningBridge> {
  const { env } = context;
  const current = loadConfig({ path, env });
  const { settings, warnings } = current;
  const log = createLogger(settings.log.level);
  for (const warning of warnings) log.warn({}, faultText(path, warning));

  const bridge = await startBridge({
    settings,
    clock: systemClock,
    log,
    instance: context.instance,
    version: context.version,
    tmpDir: context.tmpDir,
  });
  const watch = watchConfig({
    path,
    current,
    load: createConfigReader({ path, env }, current),
    async onChange(next, notes) {
      const useSealKeys = await bridge.prepareSealKeys(next.storage.sealKeys);
      bridge.apply(next);
      useSealKeys();
      log.level = next.log.level;
      for (const note of notes) log.warn({}, faultText(path, note));
      const waiting = restartNeeded(settings, next);
      if (waiting.length > 0)
        log.warn({ settings: waiting }, 'these changed settings take effect after a restart');
      log.info({ config: path }, 'configuration reloaded');
    },
    onFault: error =>
      log.error({ err: error }, 'the changed configuration cannot be used; the former one stays in force'),
    clock: systemClock,
    log,
  });
  context.onSignal('SIGHUP', () => {
    watch.reload().catch(error => log.error({ err: error }, 'reload failed'));
  });
  return {
    bridge,
    settings,
    log,
    async close() {
      watch.close();
      await bridge.close();
    },
  };
}

/** Ends the process after `close` on SIGINT or SIGTERM; a second signal ends it at once. */
export function closeOnSignal(context: CliContext, close: () => Promise<void>): void {
  let closing = false;
  const stop = (): void => {
    if (closing) {
      context.exit(1);
      return;
    }
    closing = true;
    close().then(
      () => context.exit(0),
      error => {
        context.err(
          `open-bridge: stopping failed: ${error instanceof Error ? error.message : String(error)}`,
        );
        context.exit(1);
      },
    );
  };
  context.onSignal('SIGINT', stop);
  context.onSignal('SIGTERM', stop);
}

/** `http://host:port`, with brackets round an IPv6 host. */
export function httpUrl({ host, port }: ListenAddress, scheme = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
