import { jsonObjectIn } from '../base/json-object.ts';
import { Secret } from '../base/secret.ts';
import type { IssuePlan } from '../platforms/platform.ts';
import type { CredentialRow, CredentialTable, Store } from '../stores/store.ts';
import type { Credential, CredentialRef, ValueObject } from './credentials.ts';
import { type Freshness, freshness, renewalTime } from './freshness.ts';
import type { IssuedAt } from './issuer.ts';
import { idsOf, type KeyFormat, storedKeys } from './keys.ts';
import { isPushed } from './plans.ts';

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
  /** The whole value object, where it holds more than the plan would store. */
  readonly stored?: ValueObject | undefined;
  readonly renewAt: number;
  /** What it replaces. */
  readonly over: Held | undefined;
  /** Whether the platform still honours the replaced value. */
  readonly overlaps: boolean;
}

/** Reads and writes credentials as values rather than rows. */
export interface Vault {
  read(ref: CredentialRef): Promise<Held | undefined>;
  /** As `read`, but perhaps by way of an accelerator (`CredentialTable.peek`). */
  peek(ref: CredentialRef): Promise<Held | undefined>;
  /** The stored keys a credential is read from. */
  ids(ref: CredentialRef): readonly string[];
  /** Compare-and-set on the epoch; undefined when another writer was first. */
  commit(commit: Commit): Promise<Held | undefined>;
  /** Removes it under both forms of its key; false when there was none. */
  remove(ref: CredentialRef): Promise<boolean>;
}

/** The whole value object of a held credential. Hold it briefly; never log it. */
export function storedObject({ row }: Held): ValueObject {
  return JSON.parse(row.value) as ValueObject;
}

/** Whether a held credential may be handed out, and whether it should be replaced soon. */
export function judge(held: Held, now: number): Freshness {
  return freshness(held.credential, held.renewAt, now, isPushed(held.credential.ref));
}

/** Whether a held credential may be handed out. */
export function isUsable(held: Held, now: number): boolean {
  return judge(held, now) !== 'expired';
}

/** A vault over a store. `planOf` tells how a kind is stored; rows it cannot read count as missing. */
export function createVault(deps: {
  readonly store: Store;
  readonly keyFormat: KeyFormat;
  readonly planOf: (ref: CredentialRef) => IssuePlan;
}): Vault {
  const { store, keyFormat, planOf } = deps;
  const { credentials } = store;

  /** Epoch of a row that counts as missing because it cannot be read; 0 when no such row is in the way. */
  async function unreadableEpoch(ref: CredentialRef, plan: IssuePlan): Promise<number> {
    const row = await credentials.get(storedKeys(ref, keyFormat).id);
    return row !== undefined && toHeld(ref, plan, row, row.epoch) === undefined ? row.epoch : 0;
  }

  const readBy =
    (get: CredentialTable['get']) =>
    async (ref: CredentialRef): Promise<Held | undefined> => {
      const { id, alternate } = storedKeys(ref, keyFormat);
      const row = await get(id);
      const held = row && toHeld(ref, planOf(ref), row, row.epoch);
      if (held !== undefined || alternate === undefined) return held;
      const other = await get(alternate);
      return other && toHeld(ref, planOf(ref), other, row?.epoch ?? 0);
    };

  return {
    read: readBy(credentials.get),
    peek: readBy(credentials.peek ?? credentials.get),
    ids: ref => idsOf(ref, keyFormat),
    async commit({ ref, plan, issued, stored, renewAt, over, overlaps }) {
      const { id } = storedKeys(ref, keyFormat);
      const storedEpoch = over?.storedEpoch ?? (await unreadableEpoch(ref, plan));
      const unchanged = over?.credential.value.fingerprint === issued.value.fingerprint;
      const expiresAt = issued.startedAt + issued.lifeMs;
      const row: CredentialRow = {
        id,
        value: JSON.stringify(stored ?? plan.toStored(issued.value.reveal())),
        expiresAt,
        platform: ref.app.platform,
        appid: ref.app.appid,
        kind: ref.kind,
        epoch: Math.max(over?.row.epoch ?? 0, storedEpoch) + (unchanged && over.row.epoch > 0 ? 0 : 1),
        issuedAt: unchanged ? over.credential.issuedAt : issued.startedAt,
        renewAt,
        background: ref.app.renews.includes(ref.kind),
        fingerprint: issued.value.fingerprint,
        previous: unchanged
          ? over.row.previous
          : previousOf(over, overlaps, issued.startedAt + plan.overlapMs),
      };
      if (!(await credentials.commit(row, storedEpoch))) return undefined;
      if (over?.row.background && over.row.id !== id) {
        // The row in the other key form has done its service; left in the background it would be due for ever.
        const renewal = { renewAt: over.renewAt, background: false };
        await credentials.reschedule(over.row.id, over.row.epoch, renewal);
      }
      return toHeld(ref, plan, row, row.epoch);
    },
    async remove(ref) {
      const { id, alternate } = storedKeys(ref, keyFormat);
      const removed = await credentials.remove(id);
      const other = alternate !== undefined && (await credentials.remove(alternate));
      return removed || other;
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
  // A key by dcloudAppid outlives a change of the appid behind it; another app's value must not be handed out.
  if (row.appid !== undefined && row.appid !== ref.app.appid) return undefined;
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
  const value = jsonObjectIn(json);
  return value && plan.fromStored(value);
}
