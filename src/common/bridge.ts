import { systemClock } from '../base/clock.ts';
import { Secret } from '../base/secret.ts';
import { processEnvironment } from './environment.ts';
import { asOpenBridgeError } from './errors.ts';
import { createFunctions, type OpenBridge } from './functions.ts';
import { createRemote } from './remote.ts';
import type { BridgeOptions, EmbeddedOptions, RemoteOptions } from './target.ts';

const DEFAULT_PREFIX = '/uni-open-bridge';
/** A bridge waits up to 25 s for another process and 8 s for an answer of the platform. */
const DEFAULT_TIMEOUT_MS = 35_000;

/**
 * Opens a bridge inside this process: it reads the configuration, opens the database and asks the platform
 * by itself, beside any number of other processes that do the same. Nothing is renewed in the background;
 * a value that is due is renewed when it is asked for. Throws OpenBridgeError when something cannot be used.
 *
 * @example
 * const bridge = await createBridge({ config: 'open-bridge.json' });
 * const { access_token } = await bridge.getAccessToken({ dcloudAppid: '__UNI__SHOP01', platform: 'weixin-mp' });
 * await bridge.close();
 */
export async function createBridge(options: EmbeddedOptions): Promise<OpenBridge> {
  const environment = processEnvironment();
  const { config, env = environment.variables, log = environment.log, clock } = options;
  try {
    if (typeof config !== 'string' || config === '') throw new TypeError('config must be the path of a file');
    // Loaded here, so that a program which asks a bridge elsewhere carries neither database nor configuration.
    const { openEmbedded } = await import('./embedded.ts');
    const { instance, version } = environment;
    return createFunctions(await openEmbedded({ config, env, instance, version, log, clock }), log);
  } catch (error) {
    throw error instanceof TypeError ? error : asOpenBridgeError(error);
  }
}

/**
 * Makes the functions for a bridge elsewhere. Connects when something is asked. Throws TypeError when an
 * option cannot be used.
 *
 * @example
 * const bridge = connectBridge({ url: 'http://127.0.0.1:7200', callerKey });
 */
export function connectBridge(options: RemoteOptions): OpenBridge {
  const { callerKey, timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock } = options;
  if (!(timeoutMs > 0) || timeoutMs > 2 ** 31 - 1)
    throw new TypeError(`timeoutMs must be a number of milliseconds above 0, not ${timeoutMs}`);
  if (callerKey !== undefined && !/^[\x21-\x7e]+$/.test(callerKey))
    throw new TypeError('callerKey must be printable ASCII without spaces, because it travels in a header');
  const backend = createRemote({
    url: functionsUrl(options.url),
    callerKey: callerKey === undefined ? undefined : new Secret(callerKey),
    timeoutMs,
    clock,
  });
  return createFunctions(backend, options.log ?? processEnvironment().log);
}

/** Opens either, by what the options name. */
export async function openBridge(options: BridgeOptions): Promise<OpenBridge> {
  if ('url' in options && 'config' in options)
    throw new TypeError('give either url, for a bridge elsewhere, or config, for one in this process');
  return 'url' in options ? connectBridge(options) : createBridge(options);
}

/** Where the functions are: an address without a path gets the usual prefix. */
function functionsUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new TypeError('url must be an absolute URL such as http://127.0.0.1:7200');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new TypeError(
      'url must hold neither user, password, query nor fragment: the key goes into callerKey',
    );
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path === '' ? DEFAULT_PREFIX : path;
  return url;
}
