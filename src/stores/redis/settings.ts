import type { Secret } from '../../base/secret.ts';

/** A Redis server, or one of the processes that know where it is. */
export interface RedisEndpoint {
  readonly host: string;
  readonly port: number;
}

/** How connections are encrypted; an object without fields trusts what the machine trusts. */
export interface RedisTls {
  /** PEM of the authorities to trust instead of the machine's. */
  readonly ca?: string | undefined;
  /** PEM of our own certificate and its key, where the server asks for one. */
  readonly cert?: string | undefined;
  readonly key?: Secret | undefined;
  /** Name the server's certificate must have, where that is not its host. */
  readonly serverName?: string | undefined;
}

/** Who we are to the servers. */
export interface RedisUser {
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
}

/** Where Redis is. */
export type RedisSettings =
  /** `redis://` or `rediss://`, with user, password and number of the database in it. */
  | { readonly kind: 'single'; readonly url: Secret; readonly tls?: RedisTls | undefined }
  | (RedisUser & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisEndpoint[];
      /** Name of the primary among those that the sentinels watch. */
      readonly name: string;
      readonly database: number;
      /** Who we are to the sentinels themselves. */
      readonly sentinelUser: RedisUser;
      readonly tls?: RedisTls | undefined;
    })
  | (RedisUser & {
      readonly kind: 'cluster';
      /** Some of the nodes; the others are learnt from them. */
      readonly nodes: readonly RedisEndpoint[];
      readonly tls?: RedisTls | undefined;
    });

/**
 * How copies stand in Redis. `sealed`: for this program alone. `plain`: also as uniCloud writes and reads
 * them, open to whoever reads Redis.
 */
export type RedisFormat = 'sealed' | 'plain';
