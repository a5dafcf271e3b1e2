/**
 * Everything needed to run a bridge inside another Node.js program.
 *
 * @module
 */
export { type Clock, systemClock } from '../base/clock.ts';
export { BridgeError, type ErrorCode } from '../base/errors.ts';
export type { Log } from '../base/log.ts';
export { type LoadedConfig, type LoadOptions, loadConfig } from '../config/load.ts';
export type { Settings } from '../config/settings.ts';
export { type Bridge, type BridgeOptions, startBridge } from './bridge.ts';
export { createLogger } from './logger.ts';
