import { previousContext, sealedWith } from './sealing.ts';
import type { StoredText, StoredTextTable, TextPlace } from './store.ts';

/** Rows read at once: many, as each page is a statement, and few enough to hold up no bridge while they are written. */
const PAGE = 500;

/** The smallest places first, so that what they hold is known soon. */
const PLACES: readonly TextPlace[] = ['settings', 'ephemeral', 'credentials'];

/** Rows of one place. */
export interface TextPage {
  readonly place: TextPlace;
  readonly rows: readonly StoredText[];
}

/** One sealed value. */
export interface SealedText {
  readonly keyId: string;
  /** What the seal is bound to. */
  readonly context: string;
  readonly text: string;
}

/** All rows that may hold sealed values, a page at a time. */
export async function* everyText(texts: StoredTextTable): AsyncGenerator<TextPage> {
  for (const place of PLACES) {
    let afterId: string | undefined;
    do {
      const rows = await texts.scan(place, PAGE, afterId);
      if (rows.length > 0) yield { place, rows };
      afterId = rows.length < PAGE ? undefined : rows.at(-1)?.id;
    } while (afterId !== undefined);
  }
}

/** The sealed values of a row. */
export function sealsOf({ id, value, previous }: StoredText): readonly SealedText[] {
  const seals: SealedText[] = [];
  for (const [context, text] of [
    [id, value],
    [previousContext(id), previous],
  ] as const) {
    const keyId = text === undefined ? undefined : sealedWith(text);
    if (text !== undefined && keyId !== undefined) seals.push({ keyId, context, text });
  }
  return seals;
}
