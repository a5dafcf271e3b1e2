import type { Clock } from '../../src/base/clock.ts';

/** Something that was done to the system, or happened to it. */
export interface Entry {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly what: string;
  readonly detail: string;
}

/** An invariant that did not hold, with what was seen and what had been done just before. */
export interface Violation {
  readonly at: number;
  readonly invariant: string;
  readonly evidence: string;
  readonly before: readonly Entry[];
}

/** What may explain that something is not as in quiet times. */
export type TroubleKind =
  /** The database does not answer, or answers are lost. */
  | 'store'
  /** The platform does not issue tokens of an app as it should. */
  | 'tokens'
  /** A node was killed or stopped. */
  | 'node'
  /** Redis was broken, so that what it holds may be behind. */
  | 'copies'
  /** The platform revoked an app's tokens. */
  | 'revoked';

interface Trouble {
  readonly kind: TroubleKind;
  /** The app, where it concerns one alone. */
  readonly subject: string | undefined;
  readonly from: number;
  to: number;
}

/** Keeps account of what was done and of what did not hold. */
export interface Journal {
  readonly entries: readonly Entry[];
  readonly violations: readonly Violation[];
  note(what: string, detail?: string): void;
  violated(invariant: string, evidence: string): void;
  /** Notes that trouble begins; what it returns notes its end. */
  trouble(kind: TroubleKind, subject?: string): () => void;
  /** Whether there was such trouble at any moment of a span; `subject` leaves out that of other apps. */
  troubled(kind: TroubleKind, from: number, to: number, subject?: string): boolean;
}

/** How much of what was done before a violation is shown with it. */
const BEFORE_MS = 15_000;
/** Beyond this many violations the rest is more of the same. */
const MOST_VIOLATIONS = 50;

/** Makes a journal; `say` is told of every entry and violation as it comes. */
export function createJournal(clock: Clock, say: (line: string) => void): Journal {
  const startedAt = clock.now();
  const entries: Entry[] = [];
  const violations: Violation[] = [];
  const troubles: Trouble[] = [];
  const time = (): string => `${((clock.now() - startedAt) / 1000).toFixed(2).padStart(8)} s`;

  return {
    entries,
    violations,
    note(what, detail = '') {
      entries.push({ at: clock.now(), what, detail });
      say(`${time()}  ${what}${detail === '' ? '' : `: ${detail}`}`);
    },
    violated(invariant, evidence) {
      say(`${time()}  VIOLATION ${invariant}: ${evidence}`);
      if (violations.length >= MOST_VIOLATIONS) return;
      const at = clock.now();
      violations.push({
        at,
        invariant,
        evidence,
        before: entries.filter(entry => entry.at > at - BEFORE_MS),
      });
    },
    trouble(kind, subject) {
      const trouble: Trouble = { kind, subject, from: clock.now(), to: Number.POSITIVE_INFINITY };
      troubles.push(trouble);
      return () => {
        trouble.to = Math.min(trouble.to, clock.now());
      };
    },
    troubled(kind, from, to, subject) {
      return troubles.some(
        trouble =>
          trouble.kind === kind &&
          trouble.from <= to &&
          trouble.to >= from &&
          (trouble.subject === undefined || subject === undefined || trouble.subject === subject),
      );
    },
  };
}
