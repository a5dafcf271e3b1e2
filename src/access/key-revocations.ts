import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { jsonObjectIn } from '../base/json-object.ts';
import type { Log } from '../base/log.ts';
import { REVALIDATE_MS } from '../stores/changes.ts';
import { createSharedDocument } from '../stores/shared-document.ts';
import type { Store } from '../stores/store.ts';

const SETTING = 'caller-keys-revoked';

/** One caller key, by its hash. */
export interface RevokedKey {
  /** SHA-256 in lower-case hex. */
  readonly keyHash: string;
  /** Name of the caller it was a key of. */
  readonly caller: string;
}

/**
 * Caller keys that were taken back, over what the configuration says. A revocation is never taken back
 * itself: a key that leaked stays bad when an old configuration comes back.
 */
export interface KeyRevocations {
  /** When it was revoked, in milliseconds since the Unix epoch; undefined while it is good. Asks nobody. */
  revokedAt(keyHash: string): number | undefined;
  /** Resolves once the store has it. From then on it holds here, and within a second on the other nodes. */
  revoke(keys: readonly RevokedKey[]): Promise<void>;
  /** Takes in what other nodes revoked. */
  refresh(): Promise<void>;
  /** Begins to look for what other nodes revoke, once a second. */
  start(): void;
  stop(): Promise<void>;
}

/** What key revocations are kept with. */
export interface KeyRevocationDeps {
  readonly store: Pick<Store, 'settings' | 'leases'>;
  readonly clock: Clock;
  readonly newHolder: () => string;
  readonly log: Log;
}

type Revoked = Readonly<Record<string, { readonly at: number; readonly caller: string }>>;

/** Reads the revocations of a store, so that none is missing at the first call. */
export async function openKeyRevocations(deps: KeyRevocationDeps): Promise<KeyRevocations> {
  const { clock, log } = deps;
  const document = createSharedDocument<Revoked>({ ...deps, name: SETTING, parse });
  const known = new Map<string, number>();
  const stopping = new AbortController();
  let failing = false;
  let loop: Promise<void> | undefined;

  function take(revoked: Revoked): void {
    for (const [keyHash, { at }] of Object.entries(revoked)) known.set(keyHash, at);
  }
  take(await document.read());

  async function refresh(): Promise<void> {
    take(await document.read());
  }

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await clock.sleep(REVALIDATE_MS, stopping.signal);
        await refresh();
        failing = false;
      } catch (error) {
        if (!stopping.signal.aborted && !failing)
          log.warn({ err: error }, 'revoked caller keys cannot be read; those known so far stay revoked');
        failing = true;
      }
    }
  }

  return {
    revokedAt: keyHash => known.get(keyHash),
    async revoke(keys) {
      const at = clock.now();
      take(
        await document.update(before => {
          const fresh = keys.filter(({ keyHash }) => !Object.hasOwn(before, keyHash));
          if (fresh.length === 0) return before;
          return {
            ...before,
            ...Object.fromEntries(fresh.map(({ keyHash, caller }) => [keyHash, { at, caller }])),
          };
        }),
      );
    },
    refresh,
    start() {
      loop ??= watch();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** Refuses what is no list of revocations: to pass over it would make leaked keys good again. */
function parse(text: string | undefined): Revoked {
  if (text === undefined) return {};
  const revoked = jsonObjectIn(text);
  const entries = revoked && Object.values(revoked);
  if (entries?.every(isEntry)) return revoked as Revoked;
  throw new BridgeError('STORE_UNAVAILABLE', `${SETTING} in open_bridge_settings cannot be read`, {
    hint: 'restore that row from a backup: without it caller keys that were revoked would be good again',
  });
}

function isEntry(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'number';
}
