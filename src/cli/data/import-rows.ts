import type { CredentialRow, CredentialTable } from '../../stores/store.ts';
import type { Line } from './line-reader.ts';
import { readRow } from './row-text.ts';

/** Rows written by one statement: many, as each waits for the disk, and few enough to hold up no bridge. */
const BATCH = 500;

/** What became of the lines of an import. */
export interface ImportCounts {
  readonly lines: number;
  readonly imported: number;
  /** Rows that stand here and did not give way. */
  readonly kept: number;
  /** Rows whose time was over. */
  readonly ended: number;
  readonly malformed: number;
}

/** What an import works with. */
export interface ImportOptions {
  readonly credentials: Pick<CredentialTable, 'merge'>;
  readonly lines: AsyncIterable<Line>;
  readonly now: () => number;
  /** Whether every row that stands is replaced. */
  readonly force: boolean;
  /** Told of each malformed line, in words that quote nothing of it. */
  readonly onFault: (fault: { readonly line: number; readonly message: string }) => void;
  /** Told how many lines have been dealt with, after each batch. */
  readonly onProgress: (lines: number) => void;
}

/** Merges rows into the table, a batch at a time: each batch is written whole or not at all, malformed lines are left out. */
export async function importRows(options: ImportOptions): Promise<ImportCounts> {
  const { credentials, force, now, onFault, onProgress } = options;
  const batch = new Map<string, CredentialRow>();
  const counts = { lines: 0, imported: 0, kept: 0, ended: 0, malformed: 0 };

  const flush = async (): Promise<void> => {
    if (batch.size === 0) return;
    const merged = await credentials.merge([...batch.values()], { force });
    counts.imported += merged;
    counts.kept += batch.size - merged;
    batch.clear();
    onProgress(counts.lines);
  };

  for await (const line of options.lines) {
    const row = 'fault' in line ? line.fault : readRow(line.text);
    if (typeof row === 'string') {
      counts.malformed += 1;
      onFault({ line: line.number, message: row });
    } else if (row.expiresAt <= now()) {
      counts.ended += 1;
    } else {
      // Of two lines with one id the later must meet the earlier as a row that stands.
      if (batch.has(row.id) || batch.size >= BATCH) await flush();
      batch.set(row.id, row);
    }
    counts.lines += 1;
  }
  await flush();
  return counts;
}
