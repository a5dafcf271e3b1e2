import { BridgeError } from '../base/errors.ts';
import { type Sealer, sealedWith } from './sealing.ts';
import { sealsOf } from './sealing-texts.ts';
import type { StoredText, StoredTextTable, TextPlace } from './store.ts';

const PLACES: readonly TextPlace[] = ['settings', 'ephemeral', 'credentials'];
const PAGE = 500;
/** So many values that do not open are named. */
const EXAMPLES = 3;

/** What is sealed with one key, among the rows looked at. */
export interface SealedWithKey {
  readonly count: number;
  /** Values that do not open; 0 for a key that is not configured, with which nothing was tried. */
  readonly damaged: number;
  /** What the first of them are bound to: ids of rows. */
  readonly examples: readonly string[];
}

/** What a part of the stored values is sealed with. */
export interface SealSample {
  /** Rows that were read. */
  readonly rows: number;
  /** Whether those were all. */
  readonly isComplete: boolean;
  /** By the id of the key. */
  readonly keys: ReadonlyMap<string, SealedWithKey>;
  /** Values of credentials that are not sealed, as uniCloud writes them. */
  readonly unsealed: number;
}

/**
 * Tries to open the first `limit` rows of each place, in the order of their ids: what it costs does not grow
 * with what is stored.
 */
export async function sampleSeals(
  texts: Pick<StoredTextTable, 'scan'>,
  sealer: Pick<Sealer, 'open'>,
  configured: readonly string[],
  limit: number,
): Promise<SealSample> {
  const keys = new Map<string, { count: number; damaged: number; examples: string[] }>();
  let [rows, unsealed, isComplete] = [0, 0, true];
  for (const place of PLACES) {
    const first = await firstRows(texts, place, limit);
    rows += first.length;
    if (first.length === limit) isComplete = false;
    // Most settings are no secrets, so only values of credentials are worth counting.
    if (place === 'credentials')
      unsealed += first.filter(({ value }) => sealedWith(value) === undefined).length;
    for (const { keyId, context, text } of first.flatMap(sealsOf)) {
      const entry = keys.get(keyId) ?? { count: 0, damaged: 0, examples: [] };
      keys.set(keyId, entry);
      entry.count += 1;
      if (!configured.includes(keyId) || opens(sealer, text, context)) continue;
      entry.damaged += 1;
      if (entry.examples.length < EXAMPLES) entry.examples.push(context);
    }
  }
  return { rows, isComplete, keys, unsealed };
}

async function firstRows(
  texts: Pick<StoredTextTable, 'scan'>,
  place: TextPlace,
  limit: number,
): Promise<readonly StoredText[]> {
  const rows: StoredText[] = [];
  while (rows.length < limit) {
    const wanted = Math.min(PAGE, limit - rows.length);
    const page = await texts.scan(place, wanted, rows.at(-1)?.id);
    rows.push(...page);
    if (page.length < wanted) break;
  }
  return rows;
}

function opens(sealer: Pick<Sealer, 'open'>, text: string, context: string): boolean {
  try {
    sealer.open(text, context);
    return true;
  } catch (error) {
    if (error instanceof BridgeError) return false;
    throw error;
  }
}
