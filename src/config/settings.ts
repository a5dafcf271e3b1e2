import type { AuditRetention } from '../access/audit-log.ts';
import type { CallerConfig } from '../access/callers.ts';
import type { S2sSettings } from '../access/s2s.ts';
import type { Secret } from '../base/secret.ts';
import type { KeyFormat } from '../credentials/keys.ts';
import type { FollowSettings, GatewaySettings } from '../gateway/settings.ts';
import type { App } from '../platforms/platform.ts';
import type { Database } from '../stores/database.ts';
import type { RedisFormat, RedisSettings } from '../stores/redis/settings.ts';
import type { CallLogSettings } from './call-log.ts';
import type { ShutdownSettings } from './shutdown.ts';

/** Least severity that is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** An address to listen on. Port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Where state lives and how it is sealed. */
export interface StorageSettings {
  readonly database: Database;
  /** Base64 of 32 bytes each: the first seals, all open. */
  readonly sealKeys: readonly Secret[];
  /** Which id stands in the names of stored credentials. */
  readonly keyFormat: KeyFormat;
  /** What spares the database reads; undefined without. */
  readonly redis: RedisSettings | undefined;
  readonly redisFormat: RedisFormat;
}

/** How the uni-open-bridge functions answer over HTTP. */
export interface UniOpenBridgeSettings {
  /** Where they are on the control API: a path without a slash at its end. */
  readonly prefix: string;
  /** `http`: a status that fits, with errCode and errMsg. `uniCloud`: status 200 with uniCloud's envelope. */
  readonly errors: 'http' | 'uniCloud';
}

/** The configuration after loading: checked, completed with defaults, secrets wrapped. */
export interface Settings {
  readonly apps: readonly App[];
  readonly openapi: { readonly enabled: boolean; readonly allow: readonly string[] };
  /** Keys are hashed; see `hashCallerKey`. */
  readonly callers: readonly CallerConfig[];
  /** Addresses and CIDR ranges from which the uni-open-bridge functions may be called without a key. */
  readonly ipWhiteList: readonly string[];
  /** How callers of the uni-open-bridge functions prove themselves by uni-cloud-s2s; undefined when they cannot. */
  readonly s2s: S2sSettings | undefined;
  readonly uniOpenBridge: UniOpenBridgeSettings;
  readonly storage: StorageSettings;
  /** `gateway` and `gatewayTls` are undefined when they are switched off. */
  readonly listen: {
    readonly control: ListenAddress;
    readonly gateway: ListenAddress | undefined;
    readonly gatewayTls: ListenAddress | undefined;
  };
  /** Origins of the platforms' APIs, without a trailing slash. */
  readonly upstream: GatewaySettings['upstream'];
  readonly gateway: GatewaySettings;
  /** The bridge that this one follows: it holds the credentials, and calls go to its gateway. */
  readonly follow: FollowSettings | undefined;
  /** Absolute path of the file for the CA certificate that callers over HTTPS must trust. */
  readonly certificateFile: string;
  /** Hashes as those of caller keys. With none, the server makes a key at first start. */
  readonly admin: { readonly keyHashes: readonly string[] };
  /** `maxApps`: how many apps have metrics of their own. */
  readonly metrics: { readonly public: boolean; readonly maxApps: number };
  readonly callLog: CallLogSettings;
  readonly audit: AuditRetention;
  readonly shutdown: ShutdownSettings;
  readonly log: { readonly level: LogLevel };
}
