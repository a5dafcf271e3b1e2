import { describe, expect, it } from 'vitest';
import { STALENESS_MS } from './bounds.ts';
import { createTokenCheck } from './check-tokens.ts';
import { APP, aNode, aToken, ledgerOf, OTHER, standingJournal } from './checks.fixture.ts';
import type { Token } from './token-ledger.ts';

function check(tokens: readonly Token[]) {
  const { clock, journal, at } = standingJournal();
  const tokenCheck = createTokenCheck({
    ledger: ledgerOf(tokens),
    journal,
    clock,
    staleness: () => STALENESS_MS,
  });
  return {
    ...{ journal, at, tokenCheck },
    /** A question at a moment, answered at once. */
    give(ms: number, serial: number, node = aNode()) {
      at(ms);
      tokenCheck.begin(APP, node).gave(`token-${serial}`);
    },
    violated: () => journal.violations.map(({ invariant }) => invariant),
  };
}

describe('tokens that callers see', () => {
  it('may be the current one, and the former while the platform honours it', () => {
    const { give, violated } = check([aToken(1, 0), aToken(2, 4000)]);
    give(100, 1);
    give(4100, 2, aNode('1.1'));
    give(7900, 1);
    expect(violated()).toEqual([]);
  });

  it('may not go back on one node, but what was asked for before may come late', () => {
    const { at, give, tokenCheck, violated } = check([aToken(1, 0), aToken(2, 4000)]);
    at(4000);
    const slow = tokenCheck.begin(APP, aNode());
    give(4100, 2);
    slow.gave('token-1');
    expect(violated()).toEqual([]);
    give(4200, 1);
    expect(violated()).toEqual(['never an older token after a newer one']);
  });

  it('may not be over when asked for', () => {
    const { give, violated } = check([aToken(1, 0, { committed: undefined })]);
    give(8001, 1);
    expect(violated()).toEqual(['no token after its end']);
  });

  it('may not be dead for longer than the bound of staleness', () => {
    const tokens = [aToken(1, 0, { deadAt: 500, revokedAt: 500 }), aToken(2, 600)];
    const { give, violated } = check(tokens);
    give(4500, 1);
    expect(violated()).toEqual([]);
    give(4700, 1);
    expect(violated()).toEqual(['no dead token after the bound of staleness']);
  });

  it('may be dead while the database is away, and a moment after a node was stopped', () => {
    const tokens = [aToken(1, 0, { deadAt: 500 }), aToken(2, 600)];
    const { give, journal, at, violated } = check(tokens);
    give(4700, 1, aNode('0.1', 4000));
    at(4800);
    journal.trouble('store');
    give(4900, 1, aNode('1.1'));
    expect(violated()).toEqual([]);
  });

  it('must be of the platform and of the app', () => {
    const { give, tokenCheck, violated } = check([aToken(1, 0)]);
    give(10, 7);
    tokenCheck.begin(OTHER, aNode()).gave('token-1');
    expect(violated()).toEqual(['only tokens of the platform', 'every app its own token']);
  });
});

describe('token errors that callers see', () => {
  it.each([40001, 40014, 42001])('are violations: %i', errcode => {
    const { tokenCheck, violated } = check([aToken(1, 0)]);
    tokenCheck.begin(APP, aNode()).failed(errcode);
    expect(violated()).toEqual(['no token error for a caller']);
  });

  it('are not when they speak of something else, or nobody could mend the token', () => {
    const { tokenCheck, journal, at, violated } = check([aToken(1, 0)]);
    tokenCheck.begin(APP, aNode()).failed(-1);
    journal.trouble('revoked', APP.appid)();
    journal.trouble('tokens', APP.appid)();
    at(2000);
    tokenCheck.begin(APP, aNode()).failed(40001);
    expect(violated()).toEqual([]);
    expect(tokenCheck.seen.unmendable).toBe(1);
  });

  it('are while the database is away: the gateway says that itself', () => {
    const { tokenCheck, journal, violated } = check([aToken(1, 0)]);
    journal.trouble('store');
    tokenCheck.begin(APP, aNode()).failed(990513);
    expect(violated()).toEqual([]);
    tokenCheck.begin(APP, aNode()).failed(40001);
    expect(violated()).toEqual(['no token error for a caller']);
  });

  it('are when only another app is in trouble, or the trouble is long over', () => {
    const { tokenCheck, journal, at, violated } = check([aToken(1, 0)]);
    journal.trouble('revoked', APP.appid)();
    journal.trouble('tokens', OTHER.appid)();
    at(2000);
    tokenCheck.begin(APP, aNode()).failed(40001);
    journal.trouble('tokens', APP.appid)();
    at(60_000);
    tokenCheck.begin(APP, aNode()).failed(40001);
    expect(violated()).toHaveLength(2);
  });
});
