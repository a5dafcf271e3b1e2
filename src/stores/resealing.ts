import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import { type KeyRing, previousContext, sealedWith } from './sealing.ts';
import { forgetSealKey, rememberedSealKeys, rememberSealKey } from './sealing-keys.ts';
import { everyText, sealsOf } from './sealing-texts.ts';
import type { Store, StoredText, TextChange } from './store.ts';

/** Each pass but the last finds something only while a process still seals with a former key. */
const MOST_PASSES = 5;

/** Rows written at once: SQLite lets nobody else write meanwhile, and a bridge must wait for milliseconds only. */
const BATCH = 100;

/** What is sealed anew, and how. */
export interface ResealOptions {
  /** The store itself, not sealed. */
  readonly store: Pick<Store, 'settings' | 'texts'>;
  /** The first of its keys seals. */
  readonly sealer: KeyRing;
  readonly clock: Clock;
  /** Whether values are only counted. */
  readonly dryRun: boolean;
  /** Told of each value that does not open and therefore stays as it is. */
  readonly onFault: (fault: BridgeError) => void;
  /** Told how many rows have been looked at, after each page. */
  readonly onProgress: (rows: number) => void;
}

/** What became of all values. */
export interface ResealReport {
  /** Values found at first, by the id of their key. */
  readonly values: Readonly<Record<string, number>>;
  /** Credential values found that are not sealed, as uniCloud writes them; they stay so. */
  readonly unsealed: number;
  /** Rows sealed anew. */
  readonly resealed: number;
  /** Values that do not open. */
  readonly broken: number;
  /** Keys that nothing needs any more. */
  readonly released: readonly string[];
  /** Former keys that are still needed: something was sealed with them meanwhile, or does not open. */
  readonly needed: readonly string[];
}

/**
 * Seals with the first key everything that carries another. Bridges may run on the store meanwhile: a row
 * that one of them writes is left to it. It may be stopped at any time and begun again. Afterwards the
 * former keys that nothing needs are no longer asked for at a start.
 */
export async function reseal(options: ResealOptions): Promise<ResealReport> {
  const { store, sealer, clock, dryRun } = options;
  const [sealing = '', ...others] = sealer.keyIds();
  const first = await pass(options);
  let last = first;
  let { resealed } = first;
  for (let turn = 1; !dryRun && last.attempted > 0 && turn < MOST_PASSES; turn += 1) {
    last = await pass({ ...options, onFault: () => {} });
    resealed += last.resealed;
  }
  const found = {
    values: Object.fromEntries(first.values),
    unsealed: first.unsealed,
    resealed,
    broken: last.broken,
  };
  const former = (keys: Iterable<string>): readonly string[] => [...keys].filter(id => id !== sealing);
  if (dryRun) return { ...found, released: [], needed: former(first.values.keys()) };

  // Written durably after everything else, so that no power cut takes back what is said of the former keys.
  await rememberSealKey(store, sealing, clock.now());
  const needed = former(last.values.keys());
  const candidates = new Set([...others, ...former(await rememberedSealKeys(store.texts))]);
  const released = [...candidates].filter(id => !needed.includes(id));
  for (const id of released) await forgetSealKey(store.texts, id);
  return { ...found, released, needed };
}

/** What is removed, and how. */
export interface ForgetOptions extends Pick<ResealOptions, 'store' | 'dryRun' | 'onProgress'> {
  /** Id of a key that is lost. */
  readonly keyId: string;
}

/**
 * Removes what only a lost key opens: rows, and of rows whose value opens the value before it. Resolves to
 * the number of rows.
 */
export async function forgetValues({ store, keyId, dryRun, onProgress }: ForgetOptions): Promise<number> {
  let rows = 0;
  let looked = 0;
  const needs = (text: string | undefined): boolean => text !== undefined && sealedWith(text) === keyId;
  for await (const page of everyText(store.texts)) {
    const lost = page.rows.filter(({ value }) => needs(value));
    const halves = page.rows.filter(({ value, previous }) => !needs(value) && needs(previous));
    rows += lost.length + halves.length;
    if (!dryRun && lost.length > 0) await store.texts.remove(page.place, lost);
    if (!dryRun && halves.length > 0)
      await store.texts.replace(
        page.place,
        halves.map(from => ({ from, to: { value: from.value, previous: undefined } })),
      );
    looked += page.rows.length;
    onProgress(looked);
  }
  if (!dryRun) await forgetSealKey(store.texts, keyId);
  return rows;
}

interface Pass {
  /** Values found, by the id of their key. */
  readonly values: Map<string, number>;
  unsealed: number;
  /** Rows that were to be changed; those of them that another wrote meanwhile were not. */
  attempted: number;
  resealed: number;
  broken: number;
}

async function pass({ store, sealer, clock, dryRun, onFault, onProgress }: ResealOptions): Promise<Pass> {
  const [sealing = ''] = sealer.keyIds();
  const result: Pass = { values: new Map(), unsealed: 0, attempted: 0, resealed: 0, broken: 0 };
  let looked = 0;
  for await (const { place, rows } of everyText(store.texts)) {
    const changes: TextChange[] = [];
    for (const row of rows) {
      const seals = sealsOf(row);
      for (const { keyId } of seals) result.values.set(keyId, (result.values.get(keyId) ?? 0) + 1);
      if (place === 'credentials' && sealedWith(row.value) === undefined) result.unsealed += 1;
      if (seals.every(({ keyId }) => keyId === sealing)) continue;
      try {
        changes.push({ from: row, to: sealedAnew(row, sealer) });
      } catch (error) {
        if (!(error instanceof BridgeError)) throw error;
        result.broken += 1;
        onFault(error);
      }
    }
    for (let at = 0; !dryRun && at < changes.length; at += BATCH) {
      const batch = changes.slice(at, at + BATCH);
      const begunAt = clock.now();
      result.attempted += batch.length;
      result.resealed += await store.texts.replace(place, batch);
      // Half of the time is for the bridges to write.
      await clock.sleep(Math.max(clock.now() - begunAt, 1));
    }
    looked += rows.length;
    onProgress(looked);
  }
  return result;
}

/** What is not sealed stays so: uniCloud may read it. */
function sealedAnew({ id, value, previous }: StoredText, sealer: KeyRing): TextChange['to'] {
  const anew = (text: string, context: string): string =>
    sealedWith(text) === undefined ? text : sealer.seal(sealer.open(text, context), context);
  return { value: anew(value, id), previous: previous && anew(previous, previousContext(id)) };
}
