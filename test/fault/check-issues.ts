import type { FaultApp } from './apps.ts';
import { CLOCK_SLACK_MS } from './bounds.ts';
import type { Journal } from './journal.ts';
import type { Node } from './nodes.ts';
import type { Token } from './token-ledger.ts';

/** What an issue of a token was for. */
export type IssueReason =
  | 'first'
  /** The one before was due for renewal, or over. */
  | 'due'
  /** The one before was revoked. */
  | 'repair'
  /** The one before never arrived: its answer was lost with a connection, a node or the database. */
  | 'lost'
  /** Sent by a node that was stopped between its decision and the sending; no lease can prevent that. */
  | 'late'
  | 'unexplained';

/** What judging looks at beside the tokens. */
export interface IssueEvidence {
  readonly journal: Pick<Journal, 'troubled'>;
  /** Whether some node was continued after a stop in this span. */
  readonly resumedIn: (from: number, to: number) => boolean;
}

/** Requests that are under way can be this old: the longest delay the run injects, and a slow machine. */
const UNDER_WAY_MS = 4000;

/** Judges why a token was issued when the one before it was there. */
export function reasonOf(
  token: Token,
  before: Token | undefined,
  { journal, resumedIn }: IssueEvidence,
): IssueReason {
  if (before === undefined) return 'first';
  const { app, issuedAt } = token;
  if (before.revokedAt !== undefined && before.revokedAt <= issuedAt) return 'repair';
  if (issuedAt >= before.expiresAt - CLOCK_SLACK_MS) return 'due';
  if (before.committed !== undefined) {
    if (issuedAt >= before.committed.renewAt - CLOCK_SLACK_MS) return 'due';
    const isLate = token.committed === undefined && resumedIn(issuedAt - UNDER_WAY_MS, issuedAt);
    return isLate ? 'late' : 'unexplained';
  }
  const from = before.issuedAt - UNDER_WAY_MS;
  const lost =
    journal.troubled('node', from, issuedAt) ||
    journal.troubled('store', from, issuedAt) ||
    journal.troubled('tokens', from, issuedAt, app.appid);
  return lost ? 'lost' : 'unexplained';
}

/** Judges all issues of an app; unexplained ones and epochs that hold two tokens are violations. */
export function checkIssues(
  app: FaultApp,
  tokens: readonly Token[],
  evidence: IssueEvidence & { readonly journal: Journal },
): Readonly<Record<IssueReason, number>> {
  const counts = { first: 0, due: 0, repair: 0, lost: 0, late: 0, unexplained: 0 };
  const byEpoch = new Map<number, Token>();
  let before: Token | undefined;
  for (const token of tokens) {
    const reason = reasonOf(token, before, evidence);
    counts[reason] += 1;
    if (reason === 'unexplained')
      evidence.journal.violated(
        'one issue per token life',
        `${app.name}: ${described(token)} though ${before && described(before)}`,
      );
    const { committed } = token;
    if (committed !== undefined) {
      const twin = byEpoch.get(committed.epoch);
      if (twin !== undefined)
        evidence.journal.violated(
          'one token per epoch',
          `${app.name}: epoch ${committed.epoch} held ${described(twin)} and ${described(token)}`,
        );
      byEpoch.set(committed.epoch, token);
    }
    before = token;
  }
  return counts;
}

/** Remembers when nodes were continued. */
export function createResumptions(): {
  note(node: Node): void;
  readonly resumedIn: IssueEvidence['resumedIn'];
} {
  const times: number[] = [];
  return {
    note: node => void times.push(node.resumedAt),
    resumedIn: (from, to) => times.some(at => at >= from && at <= to),
  };
}

/** A token in words, without the token. */
export function described(token: Token): string {
  const time = (at: number): string => new Date(at).toISOString().slice(11, 23);
  const { committed } = token;
  const kept =
    committed === undefined
      ? 'never seen in the database'
      : `epoch ${committed.epoch}, in the database from ${time(committed.at)}, renewal planned for ${time(committed.renewAt)}`;
  const revoked = token.revokedAt === undefined ? '' : `, revoked ${time(token.revokedAt)}`;
  const dead = token.deadAt === undefined ? '' : `, dead by ${time(token.deadAt)}`;
  return `number ${token.serial} (issued ${time(token.issuedAt)}, ends ${time(token.expiresAt)}${revoked}${dead}; ${kept})`;
}
