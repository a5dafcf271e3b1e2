import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import type { Platform } from '../platforms/platform.ts';
import { createUpstream, type Upstream } from '../platforms/upstream.ts';
import type { Database } from '../stores/database.ts';
import { openStore } from '../stores/open-store.ts';
import type { RedisFormat, RedisSettings } from '../stores/redis/settings.ts';
import { createSealer, type Sealer, sealStore } from '../stores/sealing.ts';
import { prepareSealKeys, requireSealKeys } from '../stores/sealing-keys.ts';
import { shareStore } from '../stores/shared-store.ts';
import type { Store } from '../stores/store.ts';
import { createAuthority } from './authority.ts';
import { createCallPlatform } from './call-platform.ts';
import type { CallPlatform, CredentialValues, UserSessions } from './credentials.ts';
import { createEncryptKeys } from './encrypt-keys.ts';
import { createExchange } from './exchange.ts';
import { createFlights } from './flights.ts';
import { followerCredentials, refusingUpstream } from './follower.ts';
import type { KeyFormat } from './keys.ts';
import { createPursuer } from './pursuit.ts';
import type { AuthorityEvent } from './refresh.ts';
import { createSessionKeys } from './session-keys.ts';
import { createUserSessions } from './sessions.ts';
import { createUserExchange, type UserFailure } from './user-exchange.ts';
import { createUserRows } from './user-rows.ts';
import { createUserTokens } from './user-tokens.ts';
import { createCredentialValues } from './values.ts';

/** A lease's holder has 64 characters in the store, 37 of them taken by what makes it unique. */
const INSTANCE_LENGTH = 27;

/** What credentials work with; everything impure is passed in. */
export interface CredentialDeps {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  /** An unguessable string, new at every call: names the holder of a lease. */
  readonly newHolder: () => string;
  readonly log: Log;
  readonly keyFormat: KeyFormat;
  /** Told of every issue and report, for metrics. */
  readonly onEvent?: ((event: AuthorityEvent) => void) | undefined;
  /** Told of every request for a user's credential that failed because of the app, for metrics. */
  readonly onUserFailure?: ((failure: UserFailure) => void) | undefined;
}

/** Everything that is done with credentials, apart from renewing them in the background. */
export interface Credentials {
  readonly authority: ReturnType<typeof createAuthority>;
  readonly values: CredentialValues;
  readonly sessions: UserSessions;
  readonly callPlatform: CallPlatform;
}

/** Makes the credential authority and what stands on it, over a store that is open. */
export function createCredentials(deps: CredentialDeps): Credentials {
  const { store, upstream, clock, random, newHolder, log, keyFormat } = deps;
  const exchange = createExchange({ upstream, clock, random });
  const pursue = createPursuer({ leases: store.leases, clock, random, newHolder, log });
  const flights = createFlights();
  const authority = createAuthority({
    store,
    exchange,
    pursue,
    flights,
    clock,
    random,
    log,
    keyFormat,
    onEvent: deps.onEvent,
  });
  const callPlatform = createCallPlatform({ authority, exchange });
  const rows = createUserRows({ store, keyFormat, clock });
  const userExchange = createUserExchange({ exchange, log, onFailure: deps.onUserFailure });
  const userTokens = createUserTokens({ rows, exchange: userExchange, pursue, flights, clock, log });
  const sessionKeys = createSessionKeys({ rows, callPlatform, clock });
  const encryptKeys = createEncryptKeys({ rows, sessionKeys, pursue, flights, clock });
  return {
    authority,
    callPlatform,
    values: createCredentialValues({
      appValues: authority.values,
      rows,
      userTokens,
      sessionKeys,
      encryptKeys,
    }),
    sessions: createUserSessions({
      ephemeral: store.ephemeral,
      sessionKeys,
      userTokens,
      exchange: userExchange,
      pursue,
      flights,
    }),
  };
}

/** Where credentials are kept and fetched. */
export interface OpenOptions {
  readonly storage: {
    readonly database: Database;
    readonly sealKeys: readonly Secret[];
    readonly keyFormat: KeyFormat;
    readonly redis?: RedisSettings | undefined;
    readonly redisFormat?: RedisFormat | undefined;
  };
  /** Whether this bridge follows another, and so has no credentials and no way to the platform. */
  readonly follows: boolean;
  /** Origin of each platform API host, read at every call so that a reload takes effect. */
  readonly origins: () => Readonly<Record<Platform['upstream'], string>>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Names this process among those that share the database, such as `host:pid`. */
  readonly instance: string;
  readonly onEvent?: ((event: AuthorityEvent) => void) | undefined;
  /** Told of every request for a user's credential that failed because of the app, for metrics. */
  readonly onUserFailure?: ((failure: UserFailure) => void) | undefined;
}

/** Credentials with the store under them. */
export interface OpenCredentials extends Credentials {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly upstream: Upstream;
  /** Names a new holder of a lease: this process, and a random part that is used once. */
  readonly newHolder: () => string;
  /**
   * Gets ready to use other seal keys; what it resolves to puts them to use. Throws BridgeError, having
   * changed nothing, when they do not open what is stored.
   */
  prepareSealKeys(keys: readonly Secret[]): Promise<() => void>;
  /** Waits for what is under way, then lets go of the store. */
  close(): Promise<void>;
}

/**
 * Opens the store and makes everything that is done with credentials. Any number of processes may do so
 * with the same store. Throws BridgeError with a hint when the store or the seal key cannot be used.
 */
export async function openCredentials(options: OpenOptions): Promise<OpenCredentials> {
  const { clock, random, log, instance } = options;
  const { database, sealKeys, keyFormat, redis, redisFormat = 'sealed' } = options.storage;
  const sealer = createSealer(sealKeys);
  const plain = await openStore({ database, clock, random, log });
  const keyOptions = { store: plain, now: () => clock.now(), log };
  let shared: Store;
  try {
    await requireSealKeys(sealer.keyIds(), keyOptions);
    const sender = `${instance.replaceAll(' ', '-')}/${randomUUID()}`;
    const sharing = { database, redis, redisFormat, sealer, clock, random, log, sender };
    shared = await shareStore(plain, sharing);
  } catch (error) {
    await plain.close();
    throw error;
  }
  const store = sealStore(shared, sealer);
  const { follows, origins } = options;
  const upstream = follows ? refusingUpstream() : createUpstream({ origins });
  const newHolder = (): string => `${instance.slice(0, INSTANCE_LENGTH)}/${randomUUID()}`;
  const createOwn = (): Credentials =>
    createCredentials({
      store,
      upstream,
      clock,
      random,
      newHolder,
      log,
      keyFormat,
      onEvent: options.onEvent,
      onUserFailure: options.onUserFailure,
    });
  const credentials = follows ? followerCredentials() : createOwn();
  return {
    ...credentials,
    store,
    sealer,
    upstream,
    newHolder,
    prepareSealKeys: keys => prepareSealKeys(keys, sealer, keyOptions),
    async close() {
      await credentials.authority.idle();
      await upstream.close();
      await store.close();
    },
  };
}
