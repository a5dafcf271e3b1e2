import { formsOf } from './forms.ts';

/** A value that must not be seen where it does not belong. */
export interface Canary<Kind extends string = string> {
  /** What it is, for messages. */
  readonly name: string;
  readonly kind: Kind;
  readonly value: string;
}

/** Something of a canary that was found. */
export interface Hit<Kind extends string = string> {
  readonly canary: Canary<Kind>;
  /** In which form it stands there. */
  readonly form: string;
  /** The first time, in bytes from the beginning. */
  readonly at: number;
  /** What stands round about it. */
  readonly context: string;
}

/** Looks for canaries, and for any large enough part of one, in every form. */
export type Search<Kind extends string> = (place: string | Uint8Array) => readonly Hit<Kind>[];

/** Size of the filter at which most positions end: with tens of thousands of fragments one in a hundred passes it. */
const FILTER_BITS = 22;
/** Bytes that the filter looks at; no fragment is shorter. */
const FILTERED_BYTES = 4;
/** How much of the surroundings a hit shows. */
const AROUND = 60;

interface Entry<Kind extends string> {
  readonly canary: Canary<Kind>;
  readonly form: string;
}

/** What each fragment is of, by the length of the fragment. */
type Fragments<Kind extends string> = Map<number, Map<string, Entry<Kind>[]>>;

/** Makes the search for these canaries. Throws TypeError for one that is too short. */
export function createSearch<Kind extends string>(canaries: readonly Canary<Kind>[]): Search<Kind> {
  const fragments: Fragments<Kind> = new Map();
  const filter = new Uint8Array(2 ** FILTER_BITS);
  for (const canary of canaries)
    for (const { name: form, text, fragment: length } of formsOf(canary.value)) {
      const entries = fragments.get(length) ?? new Map<string, Entry<Kind>[]>();
      fragments.set(length, entries);
      for (let at = 0; at + length <= text.length; at += 1) {
        const fragment = text.slice(at, at + length);
        addEntry(entries, fragment, { canary, form });
        filter[slotOf(Buffer.from(fragment.slice(0, FILTERED_BYTES), 'latin1'), 0)] = 1;
      }
    }
  return place =>
    hitsIn(
      typeof place === 'string'
        ? Buffer.from(place)
        : Buffer.from(place.buffer, place.byteOffset, place.length),
      filter,
      fragments,
    );
}

function addEntry<Kind extends string>(
  entries: Map<string, Entry<Kind>[]>,
  fragment: string,
  entry: Entry<Kind>,
): void {
  const others = entries.get(fragment) ?? [];
  entries.set(fragment, others);
  // A value that repeats itself has a fragment more than once.
  if (others.every(({ canary, form }) => canary !== entry.canary || form !== entry.form)) others.push(entry);
}

/** Every canary and form once, at its first place. */
function hitsIn<Kind extends string>(
  bytes: Buffer,
  filter: Uint8Array,
  fragments: Fragments<Kind>,
): readonly Hit<Kind>[] {
  const text = bytes.toString('latin1');
  const found = new Map<string, Hit<Kind>>();
  for (let at = 0; at < bytes.length; at += 1) {
    if (filter[slotOf(bytes, at)] === 0) continue;
    for (const [length, entries] of fragments)
      for (const { canary, form } of entries.get(text.slice(at, at + length)) ?? []) {
        const key = JSON.stringify([canary.name, canary.value, form]);
        const context = text.slice(Math.max(0, at - AROUND), at + length + AROUND);
        if (!found.has(key)) found.set(key, { canary, form, at, context });
      }
  }
  return [...found.values()];
}

/** A multiplicative hash of four bytes. */
function slotOf(bytes: Buffer, at: number): number {
  const word =
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24);
  return Math.imul(word, 0x9e3779b1) >>> (32 - FILTER_BITS);
}
