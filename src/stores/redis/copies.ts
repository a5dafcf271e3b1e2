import type { CredentialRow } from '../store.ts';

/** How long whoever found no copy may take to bring one from the database. */
export const CLAIM_LIFE_MS = 3000;

/** What Redis holds under the key of a row. */
export interface Found {
  /** A sealed copy, yet to be opened. */
  readonly copy?: string | undefined;
  /** What uniCloud wrote there itself, with the milliseconds it has left; undefined for never ending. */
  readonly foreign?: { readonly value: string; readonly lifeMs: number | undefined } | undefined;
  /** Something that is neither, and in the way. */
  readonly isRubbish?: boolean | undefined;
}

/**
 * The copies in Redis, in one of their forms. A copy is only ever put where its bringer had left a claim
 * before it read the database. Whoever writes a row takes the claim away after the database has it, so a
 * value that was read before can no longer be put there, however late it comes and whatever its epoch.
 */
export interface Copies {
  /** Whether rows of this id can have a copy. */
  takes(id: string): boolean;
  read(id: string): Promise<Found>;
  /** Leaves a claim where there is neither copy nor claim, or with `over` in any case; false when it was not left. */
  claim(id: string, claim: string, over: boolean): Promise<boolean>;
  /** Puts a row, its values open, in the place of the claim, if that still stands; without a row, clears the place. */
  fill(id: string, claim: string, row: CredentialRow | undefined): Promise<void>;
  /**
   * Takes copy and claim away after a write. Absent in a form that others read too: there a new copy has to
   * take the place of the old one at once.
   */
  readonly drop?: (id: string) => Promise<void>;
}
