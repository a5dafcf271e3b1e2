import type { Clock } from '../../src/base/clock.ts';
import { APPS, type FaultApp } from './apps.ts';
import { createJournal, type Journal } from './journal.ts';
import type { Node } from './nodes.ts';
import type { Token, TokenLedger } from './token-ledger.ts';

export const [APP, OTHER] = APPS as readonly [FaultApp, FaultApp];

/** A clock that stands still until it is set, and a journal by it. */
export function standingJournal(): { clock: Clock; journal: Journal; at: (ms: number) => void } {
  let now = 0;
  const clock: Clock = { now: () => now, sleep: async () => {} };
  return {
    clock,
    journal: createJournal(clock, () => {}),
    at(ms) {
      now = ms;
    },
  };
}

export function aNode(id = '0.1', resumedAt = 0): Node {
  return { ...{ id, pid: 1, control: '', gateway: '' }, state: 'running', resumedAt };
}

/** A token of 8 s, issued at a moment. */
export function aToken(serial: number, issuedAt: number, change: Partial<Token> = {}): Token {
  return {
    ...{ app: APP, serial, fingerprint: `token-${serial}`, issuedAt, expiresAt: issuedAt + 8000 },
    ...{ deadAt: undefined, revokedAt: undefined },
    committed: { at: issuedAt + 10, epoch: serial, renewAt: issuedAt + 4000 },
    ...change,
  };
}

/** A ledger of given tokens, whose texts are their fingerprints. */
export function ledgerOf(tokens: readonly Token[]): TokenLedger {
  const of = (app: FaultApp): readonly Token[] => tokens.filter(token => token.app === app);
  return {
    ...{ look() {}, noteCommitted() {}, revoke() {} },
    find: text => tokens.find(({ fingerprint }) => fingerprint === text),
    of,
    newest: app => of(app).at(-1),
  };
}
