import { describe, expect, it } from 'vitest';
import { checkIssues, reasonOf } from './check-issues.ts';
import { APP, aToken, standingJournal } from './checks.fixture.ts';

const never = (): boolean => false;

describe('why a token was issued', () => {
  const { journal } = standingJournal();
  const evidence = { journal, resumedIn: never };

  it.each([
    ['first', undefined, aToken(1, 0)],
    ['due', aToken(1, 0), aToken(2, 4000)],
    ['due', aToken(1, 0, { committed: undefined }), aToken(2, 8000)],
    ['repair', aToken(1, 0, { revokedAt: 900 }), aToken(2, 1000)],
    ['unexplained', aToken(1, 0), aToken(2, 20)],
    ['unexplained', aToken(1, 0), aToken(2, 3800)],
    ['unexplained', aToken(1, 0, { revokedAt: 1100 }), aToken(2, 1000)],
    ['unexplained', aToken(1, 0, { committed: undefined }), aToken(2, 20)],
  ] as const)('%s', (reason, before, token) => {
    expect(reasonOf(token, before, evidence)).toBe(reason);
  });

  it('a lost answer explains another issue, trouble with another app does not', () => {
    const clocked = standingJournal();
    const before = aToken(1, 10_000, { committed: undefined });
    const token = aToken(2, 10_020);
    clocked.at(9000);
    const end = clocked.journal.trouble('tokens', 'another');
    expect(reasonOf(token, before, { journal: clocked.journal, resumedIn: never })).toBe('unexplained');
    end();
    clocked.journal.trouble('tokens', APP.appid)();
    expect(reasonOf(token, before, { journal: clocked.journal, resumedIn: never })).toBe('lost');
  });

  it('a node that went on after a stop may send what it had decided, if that is never kept', () => {
    const resumedIn = (from: number, to: number): boolean => from <= 1000 && to >= 1000;
    const before = aToken(1, 0);
    expect(reasonOf(aToken(2, 1010, { committed: undefined }), before, { journal, resumedIn })).toBe('late');
    expect(reasonOf(aToken(2, 1010), before, { journal, resumedIn })).toBe('unexplained');
  });
});

describe('the issues of an app', () => {
  it('are counted by reason, and two at once are a violation with both named', () => {
    const { journal } = standingJournal();
    const tokens = [aToken(1, 0), aToken(2, 4100), aToken(3, 4110)];
    expect(checkIssues(APP, tokens, { journal, resumedIn: never })).toMatchObject({
      ...{ first: 1, due: 1, unexplained: 1 },
    });
    expect(journal.violations.map(({ invariant }) => invariant)).toEqual(['one issue per token life']);
    expect(journal.violations[0]?.evidence).toMatch(/number 3 .* though number 2 /);
  });

  it('may not share an epoch', () => {
    const { journal } = standingJournal();
    const committed = { at: 4200, epoch: 1, renewAt: 8100 };
    checkIssues(APP, [aToken(1, 0), aToken(2, 4100, { committed })], { journal, resumedIn: never });
    expect(journal.violations.map(({ invariant }) => invariant)).toEqual(['one token per epoch']);
  });
});
