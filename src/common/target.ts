import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Environment } from './environment.ts';

/** A bridge inside this process. */
export interface EmbeddedOptions {
  /** The configuration file, such as `open-bridge.json`. */
  readonly config: string;
  /** What `${env:NAME}` in it refers to. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: warnings and errors become warnings of Node.js. */
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
}

/** A bridge elsewhere. */
export interface RemoteOptions {
  /** Its control address, such as `http://127.0.0.1:7200`; with a path when `uniOpenBridge.prefix` is another than `/uni-open-bridge`. */
  readonly url: string;
  /** Key of a caller with the scopes `credential:read` and, to change anything, `credential:write`. */
  readonly callerKey?: string | undefined;
  /** Longest wait for an answer, in milliseconds. Default 35 000, a little more than the bridge itself waits. */
  readonly timeoutMs?: number | undefined;
  /** As for a bridge inside this process. */
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
}

/** Where a bridge is. */
export type BridgeOptions = EmbeddedOptions | RemoteOptions;

const DEFAULT_CONFIG = 'open-bridge.json';

/** Where the environment says that the bridge is; throws CONFIG_INVALID when it says nothing. */
export function targetOf({ variables, isFile }: Pick<Environment, 'variables' | 'isFile'>): BridgeOptions {
  const url = variables['OPEN_BRIDGE_URL'];
  const callerKey = variables['OPEN_BRIDGE_CALLER_KEY'];
  // Set to nothing is how a shell or a container file leaves a variable out.
  if (url) return callerKey ? { url, callerKey } : { url };
  const config = variables['OPEN_BRIDGE_CONFIG'];
  if (config) return { config };
  if (isFile(DEFAULT_CONFIG)) return { config: DEFAULT_CONFIG };
  throw new BridgeError('CONFIG_INVALID', 'nothing says where the bridge is', {
    hint: `set OPEN_BRIDGE_URL (and OPEN_BRIDGE_CALLER_KEY) for a running bridge, or OPEN_BRIDGE_CONFIG for one inside this process, or put ${DEFAULT_CONFIG} into the working folder, or call configureBridge first`,
  });
}
