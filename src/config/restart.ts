import type { Settings } from './settings.ts';

/** Settings that are bound when the server starts, in the words of the configuration file. */
const BOUND_AT_START: Readonly<Record<string, (settings: Settings) => unknown>> = {
  'storage.database': settings => settings.storage.database,
  'storage.keyFormat': settings => settings.storage.keyFormat,
  'storage.redis': settings => settings.storage.redis,
  'storage.redisFormat': settings => settings.storage.redisFormat,
  'listen.control': settings => settings.listen.control,
  'listen.gateway': settings => settings.listen.gateway,
  'listen.gatewayTls': settings => settings.listen.gatewayTls,
  // Routes are made once.
  'uniOpenBridge.prefix': settings => settings.uniOpenBridge.prefix,
  // Connection pools are made once; the other limits are read at every call.
  'gateway.connectionsPerOrigin': settings => settings.gateway.connectionsPerOrigin,
  'gateway.certificateFile': settings => settings.certificateFile,
};

/** Names the settings that differ and take effect only when the server is started again. */
export function restartNeeded(before: Settings, after: Settings): readonly string[] {
  return Object.entries(BOUND_AT_START)
    .filter(([, read]) => !sameContent(read(before), read(after)))
    .map(([name]) => name);
}

/** Secrets are compared by fingerprint, which is what they turn into in JSON. */
function sameContent(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}
