import { hostname, tmpdir } from 'node:os';
import { systemClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { startBridge } from '../../src/server/bridge.ts';
import { createLogger } from '../../src/server/logger.ts';
import type { FromBridge, ToBridge } from './bridge-process.ts';

const [path = '', offset = '0'] = process.argv.slice(2);
let offsetMs = Number(offset);
const tell = (message: FromBridge): void => void process.send?.(message);

const { settings } = loadConfig({ path, env: {} });
const bridge = await startBridge({
  settings,
  clock: { now: () => systemClock.now() + offsetMs, sleep: systemClock.sleep },
  log: createLogger(settings.log.level),
  instance: `${hostname().slice(0, 12)}:${process.pid}`,
  version: '0.0.0-test',
  tmpDir: tmpdir(),
});

process.on('message', (message: ToBridge) => {
  offsetMs += message.advance;
  tell({ advanced: offsetMs });
});
process.on('SIGTERM', () => void bridge.close().then(() => process.exit(0)));
process.on('disconnect', () => process.exit(0));
tell({ ready: { gateway: bridge.gateway?.port ?? 0, control: bridge.control.port } });
