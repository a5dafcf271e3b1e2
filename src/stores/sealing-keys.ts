import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Secret } from '../base/secret.ts';
import { createSealer, type KeyRing } from './sealing.ts';
import { everyText, sealsOf } from './sealing-texts.ts';
import type { Store, StoredText, StoredTextTable } from './store.ts';

/** Under this name the settings remember each key that something may be sealed with. */
const REMEMBERED = 'seal-key:';

/** So many rows are looked at for a key that is missing; a start must not take minutes. */
const MOST_ROWS = 100_000;

/** So many values are named of those that need a key. */
const EXAMPLES = 3;

/** What keys are checked against, and how. */
export interface SealKeyOptions {
  /** The store itself, not sealed. */
  readonly store: Pick<Store, 'settings' | 'texts'>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly log: Log;
}

/** What is to be said of keys, over what is stored. */
export interface SealKeyCheck {
  /** BridgeError SEAL_BROKEN naming keys and values, when keys are missing that something needs. */
  readonly refusal: BridgeError | undefined;
  /** Former keys that are remembered and that nothing needs. */
  readonly unneeded: readonly string[];
  readonly remembered: ReadonlySet<string>;
}

/**
 * Finds out whether these keys open what is stored, changing nothing. Reads the settings only, unless a key
 * is missing that was used once: then it looks for values that need it.
 */
export async function checkSealKeys(
  keyIds: readonly string[],
  texts: StoredTextTable,
): Promise<SealKeyCheck> {
  const { remembered, needed } = await keysInSettings(texts);
  // A database of a version that remembered no keys tells by its values.
  if (remembered.size === 0) for (const id of await keysOfFirstRows(texts)) needed.add(id);
  const missing = new Set([...needed].filter(id => !keyIds.includes(id)));
  if (missing.size === 0) return { refusal: undefined, unneeded: [], remembered };
  const search = await searchFor(missing, texts);
  return search.found.size > 0 || !search.complete
    ? { refusal: refusal(missing, search, keyIds), unneeded: [], remembered }
    : { refusal: undefined, unneeded: [...missing], remembered };
}

/**
 * Makes sure that these keys open what is stored, forgets those that nothing needs any more, and remembers
 * the first, which will seal. Throws BridgeError SEAL_BROKEN naming keys and values otherwise.
 */
export async function requireSealKeys(keyIds: readonly string[], options: SealKeyOptions): Promise<void> {
  const { store, now, log } = options;
  const check = await checkSealKeys(keyIds, store.texts);
  if (check.refusal !== undefined) throw check.refusal;
  for (const id of check.unneeded) {
    await forgetSealKey(store.texts, id);
    log.info({ key: id }, 'nothing is sealed with this former key any more');
  }
  const [first] = keyIds;
  if (first !== undefined && !check.remembered.has(first)) await rememberSealKey(store, first, now());
}

/**
 * Gets ready to use other keys while a process runs; what it resolves to puts them to use. Throws
 * BridgeError SEAL_BROKEN, having changed nothing, when they do not open what is stored.
 */
export async function prepareSealKeys(
  keys: readonly Secret[],
  sealer: KeyRing,
  options: SealKeyOptions,
): Promise<() => void> {
  const keyIds = createSealer(keys).keyIds();
  if (keyIds.join() === sealer.keyIds().join()) return () => {};
  await requireSealKeys(keyIds, options);
  return () => {
    sealer.replaceKeys(keys);
    options.log.info({ keys: keyIds }, 'sealing keys changed: the first seals, all open');
  };
}

/** Notes durably that something may be sealed with a key from now on. */
export async function rememberSealKey(
  { settings }: Pick<Store, 'settings'>,
  id: string,
  now: number,
): Promise<void> {
  await settings.put(REMEMBERED + id, new Date(now).toISOString());
}

/** Ids of the keys that something may be sealed with. */
export async function rememberedSealKeys(texts: StoredTextTable): Promise<readonly string[]> {
  return [...(await keysInSettings(texts)).remembered];
}

/** Takes back what `rememberSealKey` noted. */
export async function forgetSealKey(texts: StoredTextTable, id: string): Promise<void> {
  for (const row of await allSettings(texts))
    if (row.id === REMEMBERED + id) await texts.remove('settings', [row]);
}

async function keysInSettings(
  texts: StoredTextTable,
): Promise<{ readonly remembered: ReadonlySet<string>; readonly needed: Set<string> }> {
  const rows = await allSettings(texts);
  const remembered = new Set(
    rows.filter(({ id }) => id.startsWith(REMEMBERED)).map(({ id }) => id.slice(REMEMBERED.length)),
  );
  return { remembered, needed: new Set([...remembered, ...keysOf(rows)]) };
}

/** There are few settings: some of the program, one for each caller at most. */
async function allSettings(texts: StoredTextTable): Promise<readonly StoredText[]> {
  const all: StoredText[] = [];
  for await (const { place, rows } of everyText(texts)) {
    if (place !== 'settings') break;
    all.push(...rows);
  }
  return all;
}

async function keysOfFirstRows(texts: StoredTextTable): Promise<ReadonlySet<string>> {
  return new Set(keysOf(await texts.scan('credentials', 1000)));
}

function keysOf(rows: readonly StoredText[]): readonly string[] {
  return rows.flatMap(sealsOf).map(({ keyId }) => keyId);
}

interface Found {
  count: number;
  /** What the first seals are bound to: ids of rows. */
  readonly examples: string[];
}

interface Search {
  readonly found: ReadonlyMap<string, Found>;
  /** Whether all rows were looked at. */
  readonly complete: boolean;
}

async function searchFor(wanted: ReadonlySet<string>, texts: StoredTextTable): Promise<Search> {
  const found = new Map<string, Found>();
  let looked = 0;
  for await (const { rows } of everyText(texts)) {
    if (looked >= MOST_ROWS) return { found, complete: false };
    looked += rows.length;
    for (const { keyId, context } of rows.flatMap(sealsOf)) {
      if (!wanted.has(keyId)) continue;
      const entry = found.get(keyId) ?? { count: 0, examples: [] };
      found.set(keyId, entry);
      entry.count += 1;
      if (entry.examples.length < EXAMPLES) entry.examples.push(context);
    }
  }
  return { found, complete: true };
}

function refusal(
  missing: ReadonlySet<string>,
  { found, complete }: Search,
  configured: readonly string[],
): BridgeError {
  const needs = [...missing].flatMap(id => {
    const entry = found.get(id);
    if (entry === undefined) return complete ? [] : [`${id} (none in the first ${MOST_ROWS} rows)`];
    const count = `${complete ? '' : 'at least '}${entry.count} ${entry.count === 1 ? 'value' : 'values'}`;
    return [`${id} (${count}, such as ${entry.examples.join(', ')})`];
  });
  const sure = found.size > 0;
  return new BridgeError(
    'SEAL_BROKEN',
    `stored values ${sure ? 'are' : 'may be'} sealed with keys that are not configured: ${needs.join('; ')}`,
    {
      hint: `configured: ${configured.join(', ')}. Add the missing key to storage.sealKey (a list: the first seals, all open) and take it out only after open-bridge keys rotate. If it is lost for good, see open-bridge keys forget`,
    },
  );
}
