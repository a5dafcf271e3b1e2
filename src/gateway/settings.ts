import type { Secret } from '../base/secret.ts';
import type { UpstreamId } from '../platforms/platform.ts';

/** How the gateway of the bridge that is followed is reached. */
export interface FollowSettings {
  /** Its origin, such as `https://bridge.internal:7243`. */
  readonly gateway: string;
  /** A caller key there. */
  readonly key: Secret;
  /**
   * PEM of its own authority, which vouches for the platforms' names. Without it the system's authorities
   * must vouch for the name in `gateway`, as they do for a proxy.
   */
  readonly ca: string | undefined;
}

/** What an operator can set of the gateway. Read at every call, so a reload takes effect at once. */
export interface GatewaySettings {
  /** Longest a whole call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  /** How much of one request body is kept in memory for a replay; more goes to a temporary file. */
  readonly replayMemoryBytes: number;
  /** How much memory all bodies kept for a replay may take together. */
  readonly replayMemoryTotalBytes: number;
  /** Origin of each platform API host, such as `https://api.weixin.qq.com`. */
  readonly upstream: Readonly<Record<UpstreamId, string>>;
  /** Most connections kept to one origin. */
  readonly connectionsPerOrigin: number;
  /** Given for a bridge that follows another: calls go there and never to the platforms. */
  readonly follow?: FollowSettings | undefined;
}

const MIB = 1024 * 1024;

/** The hosted service's figures where it has any (32 MiB each way, 30 s), ours elsewhere. */
export const DEFAULT_GATEWAY_SETTINGS: GatewaySettings = {
  timeoutMs: 30_000,
  maxRequestBytes: 32 * MIB,
  maxResponseBytes: 32 * MIB,
  replayMemoryBytes: 32 * MIB,
  replayMemoryTotalBytes: 64 * MIB,
  upstream: {
    weixin: 'https://api.weixin.qq.com',
    qq: 'https://api.q.qq.com',
    qqConnect: 'https://graph.qq.com',
  },
  connectionsPerOrigin: 256,
};

/** Throws TypeError naming the first setting that cannot be used. */
export function checkGatewaySettings(settings: GatewaySettings): void {
  const least = {
    timeoutMs: 1,
    maxRequestBytes: 0,
    maxResponseBytes: 0,
    replayMemoryBytes: 0,
    replayMemoryTotalBytes: 0,
    connectionsPerOrigin: 1,
  } as const;
  for (const [name, min] of Object.entries(least) as [keyof typeof least, number][]) {
    const value = settings[name];
    if (!Number.isSafeInteger(value) || value < min) {
      throw new TypeError(`gateway.${name} must be a whole number of at least ${min}, not ${value}`);
    }
  }
  for (const [name, origin] of Object.entries(settings.upstream)) {
    const fault = originFault(origin);
    if (fault !== undefined) throw new TypeError(`upstream.${name} ${fault}`);
  }
  const fault = settings.follow && originFault(settings.follow.gateway);
  if (fault !== undefined) throw new TypeError(`follow.gateway ${fault}`);
}

/** What is wrong with an upstream origin; undefined when it is fine. The value may hold a password, so it is not repeated. */
export function originFault(origin: string): string | undefined {
  const url = URL.parse(origin);
  if (url === null) return 'must be an absolute URL such as https://api.weixin.qq.com';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'must begin with http:// or https://';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return 'must be an origin, without path or query';
  return undefined;
}
