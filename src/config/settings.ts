import type { CallerConfig } from '../access/callers.ts';
import type { Secret } from '../base/secret.ts';
import type { KeyFormat } from '../credentials/keys.ts';
import type { GatewaySettings } from '../gateway/settings.ts';
import type { App } from '../platforms/platform.ts';
import type { CallLogSettings } from './call-log.ts';

/** Least severity that is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** An address to listen on. Port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Where state lives and how it is sealed. */
export interface StorageSettings {
  /** `path` is absolute, or `:memory:`. */
  readonly database: { readonly kind: 'sqlite'; readonly path: string };
  /** Base64 of 32 bytes each: the first seals, all open. */
  readonly sealKeys: readonly Secret[];
  /** Which id stands in the names of stored credentials. */
  readonly keyFormat: KeyFormat;
}

/** The configuration after loading: checked, completed with defaults, secrets wrapped. */
export interface Settings {
  readonly apps: readonly App[];
  readonly openapi: { readonly enabled: boolean; readonly allow: readonly string[] };
  /** Keys are hashed; see `hashCallerKey`. */
  readonly callers: readonly CallerConfig[];
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
  /** Absolute path of the file for the CA certificate that callers over HTTPS must trust. */
  readonly certificateFile: string;
  /** Hashes as those of caller keys. With none, the server makes a key at first start. */
  readonly admin: { readonly keyHashes: readonly string[] };
  /** `maxApps`: how many apps have metrics of their own. */
  readonly metrics: { readonly public: boolean; readonly maxApps: number };
  readonly callLog: CallLogSettings;
  readonly log: { readonly level: LogLevel };
}
