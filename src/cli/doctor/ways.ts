import { isLoopback } from '../../access/addresses.ts';
import type { ListenAddress } from '../../config/settings.ts';
import { httpUrl } from '../run-bridge.ts';
import type { Finding } from './check.ts';

/** How a program is brought to the gateway. */
export function waysTo(host: string, gateway: ListenAddress | undefined): string {
  const url = gateway === undefined ? 'http://GATEWAY' : httpUrl(gateway);
  const address = gateway?.host ?? 'GATEWAY';
  return [
    'a program gets there in one of three ways:',
    `  1. its hosts file or DNS says "${address} ${host}" (only where the bridge itself does not look; the gateway must listen on port 80)`,
    `  2. its environment has http_proxy=${url}, and no_proxy does not name ${host}; it calls http://${host}`,
    `  3. its base URL for the platform is ${url}`,
  ].join('\n');
}

/** What the proxy variables of an environment mean for calls of `http://host`; undefined when they say nothing. */
export function proxySays(
  host: string,
  gateway: ListenAddress | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Omit<Finding, 'name'> | undefined {
  const name = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'].find(each => env[each]);
  const proxy = name === undefined ? undefined : originOf(env[name] ?? '');
  if (proxy === undefined) return undefined;
  const bypass = ['no_proxy', 'NO_PROXY'].find(each => bypasses(host, env[each] ?? ''));
  const isOurs = gateway !== undefined && sameAddress(proxy, gateway);
  if (!isOurs)
    return {
      status: 'warn',
      found: `${name} sends programs of this environment to ${proxy.hostname}:${proxy.port || 80}, which is not the gateway`,
      advice: `where the proxy should not be used, name ${host} in no_proxy`,
    };
  if (bypass !== undefined)
    return {
      status: 'warn',
      found: `${name} leads to the gateway, but ${bypass} makes an exception of ${host}`,
      advice: `take what fits ${host} out of ${bypass}`,
    };
  return {
    status: 'ok',
    found: `${name} leads to the gateway: programs that heed it go through it when they call http://${host}`,
    // Under CGI the upper-case form comes from a header of the request, so curl and others leave it alone.
    ...(name === 'HTTP_PROXY' && { advice: 'curl and others heed only http_proxy, in lower case' }),
  };
}

/** As curl and most libraries read the variable: names, their subdomains, or everything. */
function bypasses(host: string, list: string): boolean {
  return list
    .split(',')
    .map(entry =>
      entry
        .trim()
        .replace(/^\*?\./, '')
        .replace(/:\d+$/, ''),
    )
    .some(entry => entry === '*' || (entry !== '' && (host === entry || host.endsWith(`.${entry}`))));
}

function originOf(text: string): URL | undefined {
  return URL.parse(text.includes('://') ? text : `http://${text}`) ?? undefined;
}

function sameAddress(url: URL, { host, port }: ListenAddress): boolean {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  return Number(url.port || 80) === port && (name === host || (isLoopback(name) && isLoopback(host)));
}
