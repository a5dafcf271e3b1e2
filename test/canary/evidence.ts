import type { CanaryKind, Planted } from './planted.ts';
import { createSearch } from './search.ts';

/** Something that others may come to read, and the kinds of values that may stand in it by its purpose. */
interface Place {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly may: readonly CanaryKind[];
}

/** What a search came to. */
export interface Findings {
  /** What stands where it does not belong, one line each. */
  readonly leaks: readonly string[];
  /** Kinds that were found where they belong, which shows that there was something to be found. */
  readonly atHome: ReadonlySet<CanaryKind>;
}

/** All that the run left behind. */
export interface Evidence {
  /** Keeps a place to be searched at the end, when every value is known. */
  add(name: string, content: string | Uint8Array, may?: readonly CanaryKind[]): void;
  /** How much was kept under names that begin like this, in bytes. */
  size(prefix: string): number;
  search(planted: Planted): Findings;
}

/** Starts empty. */
export function createEvidence(): Evidence {
  const places: Place[] = [];
  return {
    add: (name, content, may = []) => void places.push({ name, content, may }),
    size: prefix =>
      places.reduce((sum, { name, content }) => sum + (name.startsWith(prefix) ? content.length : 0), 0),
    search(planted) {
      const search = createSearch(planted.all());
      const leaks = new Set<string>();
      const atHome = new Set<CanaryKind>();
      for (const { name, content, may } of places)
        for (const { canary, form, context } of search(content)) {
          if (may.includes(canary.kind)) atHome.add(canary.kind);
          else leaks.add(`${name}: ${canary.kind} "${canary.name}" as ${form} in …${printable(context)}…`);
        }
      return { leaks: [...leaks], atHome };
    },
  };
}

/**
 * The same evidence for what another process leaves behind: under its own name, and with none but these kinds
 * at home there, whatever the place is for.
 */
export function evidenceOf(whose: string, kinds: readonly CanaryKind[], evidence: Evidence): Evidence {
  return {
    ...evidence,
    add: (name, content, may = []) =>
      evidence.add(
        `${whose} ${name}`,
        content,
        may.filter(kind => kinds.includes(kind)),
      ),
    size: prefix => evidence.size(`${whose} ${prefix}`),
  };
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '.');
}
