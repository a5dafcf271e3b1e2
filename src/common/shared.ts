import { openBridge } from './bridge.ts';
import { processEnvironment } from './environment.ts';
import { asOpenBridgeError } from './errors.ts';
import type { OpenBridge } from './functions.ts';
import { METHOD_NAMES } from './methods.ts';
import { type BridgeOptions, targetOf } from './target.ts';

/** The functions without a bridge of one's own. */
export interface SharedBridge extends OpenBridge {
  /** Says where the bridge is, before the first function is called; otherwise the environment says it. */
  configure(options: BridgeOptions): void;
}

type AnyFunction = (...input: readonly unknown[]) => Promise<unknown>;

/**
 * Makes functions that open their bridge when one of them is first called. An opening that failed is tried
 * again by the next call. `open` is told nothing when the environment is to decide.
 */
export function createShared(
  open: (options: BridgeOptions | undefined) => Promise<OpenBridge>,
): SharedBridge {
  let configured: BridgeOptions | undefined;
  let opening: Promise<OpenBridge> | undefined;

  function bridge(): Promise<OpenBridge> {
    opening ??= open(configured).catch(error => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  const functions = METHOD_NAMES.map(name => [
    name,
    async (...input: readonly unknown[]) => ((await bridge())[name] as AnyFunction)(...input),
  ]);
  return {
    ...(Object.fromEntries(functions) as unknown as Omit<OpenBridge, 'close'>),
    configure(options) {
      if (opening !== undefined)
        throw new TypeError(
          'the bridge is in use already: call configureBridge before the first function, or closeBridge before it',
        );
      configured = options;
    },
    async close() {
      const open = opening;
      opening = undefined;
      await (await open)?.close();
    },
  };
}

/** Opens the bridge that was configured, or that the environment names. Throws OpenBridgeError. */
export async function openConfigured(options: BridgeOptions | undefined): Promise<OpenBridge> {
  try {
    return await openBridge(options ?? targetOf(processEnvironment()));
  } catch (error) {
    throw error instanceof TypeError ? error : asOpenBridgeError(error);
  }
}
