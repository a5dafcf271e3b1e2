/**
 * The candidate that somebody who wrote `word` most likely meant: spelt differently by a third at most,
 * whatever the case, or with its hyphenated parts in another order (`mp-weixin`). Undefined when none is near.
 */
export function nearest<Candidate extends string>(
  word: string,
  candidates: readonly Candidate[],
): Candidate | undefined {
  const written = word.toLowerCase();
  let best: Candidate | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const right = candidate.toLowerCase();
    const edits = sortedParts(written) === sortedParts(right) ? 0 : editDistance(written, right);
    if (edits < least && edits * 3 <= Math.max(written.length, right.length)) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

function sortedParts(word: string): string {
  return word.split('-').sort().join('-');
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
