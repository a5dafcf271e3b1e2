/** A Markdown table whose columns line up as text: the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map(row => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** A figure with so many decimals; a dash for none. */
export function cell(value: number, digits: number): string {
  // What rounds to nothing from below is no minus nothing.
  return Number.isFinite(value) ? value.toFixed(digits).replace(/^-(?=[0.]+$)/, '') : '-';
}

/** A figure fit for JSON. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
