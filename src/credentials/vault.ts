import { Secret } from '../base/secret.ts';
import type { IssuePlan } from '../platforms/platform.ts';
import type { CredentialRow, Store } from '../stores/store.ts';
import type { Credential, CredentialRef } from './credentials.ts';
import { type Freshness, freshness, renewalTime } from './freshness.ts';
import type { IssuedAt } from './issuer.ts';
import { type KeyFormat, storedKeys } from './keys.ts';

/** A credential as read from the store, with what is needed to replace it. */
export interface Held {
  readonly credential: Credential;
  readonly renewAt: number;
  readonly row: CredentialRow;
  /** Epoch of the row under the key we write to; 0 when it came from the other key form. */
  readonly storedEpoch: number;
}

/** What becomes of a commit. */
export interface Commit {
  readonly ref: CredentialRef;
  readonly plan: IssuePlan;
  readonly issued: IssuedAt;
  readonly renewAt: number;
  /** What it replaces. */
  readonly over: Held | undefined;
  /** Whether the platform still honours the replaced value. */
  readonly overlaps: boolean;
}

/** Reads and writes credentials as values rather than rows. */
export interface Vault {
  read(ref: CredentialRef): Promise<Held | undefined>;
  /** Compare-and-set on the epoch; undefined when another writer was first. */
  commit(commit: Commit): Promise<Held | undefined>;
}

/** Whether a held credential may be handed out, and whether it should be replaced soon. */
export function judge(held: Held, now: number): Freshness {
  return freshness(held.credential, held.renewAt, now);
}

/** A vault over a store. `planOf` tells how a kind is stored; rows it cannot read count as missing. */
export function createVault(deps: {
  readonly store: Store;
  readonly keyFormat: KeyFormat;
  readonly planOf: (ref: CredentialRef) => IssuePlan;
}): Vault {
  const { store, keyFormat, planOf } = deps;
  const { credentials } = store;
  return {
    async read(ref) {
      const { id, alternate } = storedKeys(ref, keyFormat);
      const row = await credentials.get(id);
      if (row !== undefined) return toHeld(ref, planOf(ref), row, row.epoch);
      const other = alternate === undefined ? undefined : await credentials.get(alternate);
      return other && toHeld(ref, planOf(ref), other, 0);
    },
    async commit({ ref, plan, issued, renewAt, over, overlaps }) {
      const unchanged = over?.credential.value.fingerprint === issued.value.fingerprint;
      const expiresAt = issued.startedAt + issued.lifeMs;
      const row: CredentialRow = {
        id: storedKeys(ref, keyFormat).id,
        value: JSON.stringify(plan.toStored(issued.value.reveal())),
        expiresAt,
        platform: ref.app.platform,
        appid: ref.app.appid,
        kind: ref.kind,
        epoch: (over?.row.epoch ?? 0) + (unchanged && over.row.epoch > 0 ? 0 : 1),
        issuedAt: unchanged ? over.credential.issuedAt : issued.startedAt,
        renewAt,
        background: ref.app.renews.includes(ref.kind),
        fingerprint: issued.value.fingerprint,
        previous: unchanged
          ? over.row.previous
          : previousOf(over, overlaps, issued.startedAt + plan.overlapMs),
      };
      const written = await credentials.commit(row, over?.storedEpoch ?? 0);
      return written ? toHeld(ref, plan, row, row.epoch) : undefined;
    },
  };
}

function previousOf(
  over: Held | undefined,
  overlaps: boolean,
  graceEndsAt: number,
): CredentialRow['previous'] {
  if (over === undefined || !overlaps) return undefined;
  return {
    value: over.row.value,
    fingerprint: over.credential.value.fingerprint,
    expiresAt: Math.min(over.credential.expiresAt, graceEndsAt),
  };
}

function toHeld(
  ref: CredentialRef,
  plan: IssuePlan,
  row: CredentialRow,
  storedEpoch: number,
): Held | undefined {
  const text = parseValue(plan, row.value);
  if (text === undefined) return undefined;
  // A row that uniCloud wrote does not say when its life began; a full window before its end is close enough.
  const issuedAt =
    row.issuedAt ?? (Number.isFinite(row.expiresAt) ? row.expiresAt - 2 * plan.renewAheadMs : 0);
  const life = { issuedAt, expiresAt: row.expiresAt };
  return {
    credential: { ref, value: new Secret(text), epoch: row.epoch, ...life },
    renewAt: row.renewAt ?? renewalTime(life, plan, 0),
    row,
    storedEpoch,
  };
}

function parseValue(plan: IssuePlan, json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null
      ? plan.fromStored(value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
