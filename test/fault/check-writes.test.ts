import { describe, expect, it } from 'vitest';
import { STALENESS_MS } from './bounds.ts';
import { createWriteCheck } from './check-writes.ts';
import { APP, aNode, standingJournal } from './checks.fixture.ts';

const LATER_MS = 60_000;

function check() {
  const { clock, journal, at } = standingJournal();
  const writes = createWriteCheck({
    apps: [APP],
    usersPerApp: 1,
    journal,
    clock,
    staleness: () => STALENESS_MS,
  });
  const key = writes.key(0);
  return {
    ...{ writes, journal, at, key },
    write(outcome: 'acknowledged' | 'unanswered'): string {
      const write = writes.beginWrite(key);
      write?.[outcome]();
      return write?.text ?? '';
    },
    read: (text: string | undefined, node = aNode()) => writes.beginRead(key, node)(text),
    violated: () => journal.violations.map(({ invariant }) => invariant),
  };
}

describe('session keys that are read back', () => {
  it('may be those written last, and former ones within the bound of staleness', () => {
    const { write, read, at, violated } = check();
    read(undefined);
    const first = write('acknowledged');
    read(undefined, aNode('1.1'));
    at(LATER_MS);
    write('acknowledged');
    read(first, aNode('2.1'));
    expect(violated()).toEqual([]);
  });

  it('may not be older than what was acknowledged before, nor missing', () => {
    const { write, read, at, violated } = check();
    const first = write('acknowledged');
    write('acknowledged');
    at(LATER_MS);
    read(first);
    read(undefined, aNode('1.1'));
    expect(violated()).toEqual(['no acknowledged write is lost', 'no acknowledged write is lost']);
  });

  it('may not go back on one node', () => {
    const { write, read, violated } = check();
    const first = write('acknowledged');
    const second = write('acknowledged');
    read(second);
    read(first);
    expect(violated()).toEqual(['never an older session key after a newer one']);
  });

  it('must be the user’s own', () => {
    const { read, violated } = check();
    read('user-9#1');
    expect(violated()).toEqual(['every user their own session key']);
  });

  it('may be any that is of unknown outcome, and such a key is written no more', () => {
    const { write, read, at, writes, key, violated } = check();
    const unsure = write('unanswered');
    write('acknowledged');
    at(LATER_MS);
    read(unsure);
    writes.checkLast(key, aNode(), unsure);
    expect(violated()).toEqual([]);
    expect(writes.key(0)).not.toBe(key);
  });

  it('are judged at rest without any bound', () => {
    const { write, writes, key, violated } = check();
    const first = write('acknowledged');
    const second = write('acknowledged');
    writes.checkLast(key, aNode(), second);
    expect(violated()).toEqual([]);
    writes.checkLast(key, aNode(), first);
    writes.checkLast(key, aNode(), undefined);
    expect(violated()).toEqual(['no acknowledged write is lost', 'no acknowledged write is lost']);
  });

  it('are written by one at a time', () => {
    const { writes, key } = check();
    expect(writes.beginWrite(key)).toBeDefined();
    expect(writes.beginWrite(key)).toBeUndefined();
  });
});
