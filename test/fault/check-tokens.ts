import type { Clock } from '../../src/base/clock.ts';
import type { FaultApp } from './apps.ts';
import { FAILURE_PAUSE_MS, STORE_RECOVERY_MS } from './bounds.ts';
import { described } from './check-issues.ts';
import type { Journal } from './journal.ts';
import type { Node } from './nodes.ts';
import type { Token, TokenLedger } from './token-ledger.ts';

/** Errcodes by which the platform refuses a token. */
const TOKEN_ERRORS: ReadonlySet<number> = new Set([40001, 40014, 41001, 42001]);

/** A look at one app's token through one node, from the question to the answer. */
export interface TokenLook {
  /** The token that came. */
  gave(text: string): void;
  /** The errcode that came instead. */
  failed(errcode: number): void;
}

/** Judges every token and token error that callers see. */
export interface TokenCheck {
  /** Notes that a caller asks now. */
  begin(app: FaultApp, node: Node): TokenLook;
  readonly seen: {
    looks: number;
    /** Token errors that callers saw while there was no way to mend them. */
    unmendable: number;
    /** Longest time after a successor stood in the database that a token was still given out, in milliseconds. */
    stalestMs: number;
  };
}

/** Makes the check. */
export function createTokenCheck(options: {
  readonly ledger: TokenLedger;
  readonly journal: Journal;
  readonly clock: Clock;
  /** How late a change may be noticed now, in milliseconds. */
  readonly staleness: () => number;
}): TokenCheck {
  const { ledger, journal, clock, staleness } = options;
  /** The newest token that each node has given, by node and app. */
  const newestGiven = new Map<string, Token>();
  const seen = { looks: 0, unmendable: 0, stalestMs: 0 };

  /** Since when every node should know that a token has a successor; undefined while it has none. */
  function supersededAt(token: Token, node: Node): number | undefined {
    const successor = ledger
      .of(token.app)
      .find(({ serial, committed }) => serial > token.serial && committed);
    if (successor?.committed === undefined) return undefined;
    return Math.max(successor.committed.at, node.resumedAt);
  }

  function judge(token: Token, node: Node, askedAt: number, floor: Token | undefined): void {
    const where = `node ${node.id} gave ${token.app.name} ${described(token)} to a question of ${new Date(askedAt).toISOString().slice(11, 23)}`;
    if (floor !== undefined && token.serial < floor.serial)
      journal.violated('never an older token after a newer one', `${where}, after ${described(floor)}`);
    if (token.expiresAt < askedAt) journal.violated('no token after its end', where);
    const known = supersededAt(token, node);
    if (known === undefined) return;
    seen.stalestMs = Math.max(seen.stalestMs, askedAt - known);
    const isDead = token.deadAt !== undefined && token.deadAt < askedAt;
    const isAway = journal.troubled('store', askedAt - STORE_RECOVERY_MS, clock.now());
    if (isDead && askedAt > known + staleness() && !isAway)
      journal.violated('no dead token after the bound of staleness', where);
  }

  return {
    seen,
    begin(app, node) {
      const askedAt = clock.now();
      const key = `${node.id} ${app.appid}`;
      const floor = newestGiven.get(key);
      seen.looks += 1;
      return {
        gave(text) {
          const token = ledger.find(text);
          if (token === undefined)
            return journal.violated(
              'only tokens of the platform',
              `node ${node.id} gave ${app.name} an unknown text`,
            );
          if (token.app !== app)
            return journal.violated(
              'every app its own token',
              `node ${node.id} gave ${app.name} one of ${token.app.name}`,
            );
          judge(token, node, askedAt, floor);
          const newest = newestGiven.get(key);
          if (newest === undefined || newest.serial < token.serial) newestGiven.set(key, token);
        },
        failed(errcode) {
          if (!TOKEN_ERRORS.has(errcode)) return;
          const now = clock.now();
          const { appid } = app;
          const isUnmendable =
            journal.troubled('revoked', askedAt - FAILURE_PAUSE_MS, now, appid) &&
            journal.troubled('tokens', askedAt - FAILURE_PAUSE_MS, now, appid);
          if (isUnmendable) {
            seen.unmendable += 1;
            return;
          }
          const newest = ledger.newest(app);
          journal.violated(
            'no token error for a caller',
            `node ${node.id} answered ${errcode} for ${app.name}; newest token ${newest && described(newest)}`,
          );
        },
      };
    },
  };
}
