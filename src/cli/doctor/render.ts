import type { Finding, Status } from './check.ts';

const MARKS: Readonly<Record<Status, string>> = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skipped: 'skip' };

/** Wide enough for most names; a longer one pushes its own line only. */
const NAME_WIDTH = 20;

/** A finding for people: one line, and the advice indented below it. */
export function findingLines({ name, status, found, advice }: Finding): readonly string[] {
  const indent = ' '.repeat(MARKS.ok.length + 2);
  return [
    `${MARKS[status]}  ${name.padEnd(NAME_WIDTH)}  ${found}`,
    ...(advice === undefined ? [] : advice.split('\n').map(line => `${indent}${line}`)),
  ];
}

/** How many findings there are of each kind. */
export function countFindings(findings: readonly Finding[]): Readonly<Record<Status, number>> {
  const counts = { ok: 0, warn: 0, fail: 0, skipped: 0 };
  for (const { status } of findings) counts[status] += 1;
  return counts;
}

/** The last line for people. */
export function summary(findings: readonly Finding[]): string {
  const { ok, warn, fail, skipped } = countFindings(findings);
  const verdict = fail > 0 ? 'something is broken' : warn > 0 ? 'nothing is broken' : 'all is well';
  return `${verdict}: ${fail} broken, ${warn} to look at, ${ok} in order, ${skipped} not looked at`;
}

/** 1 when something is broken, 2 when `strict` and something deserves a look, otherwise 0. */
export function exitStatus(findings: readonly Finding[], strict: boolean): 0 | 1 | 2 {
  const { warn, fail } = countFindings(findings);
  if (fail > 0) return 1;
  return strict && warn > 0 ? 2 : 0;
}
