import type { CredentialTable, ScannedRow } from '../../stores/store.ts';
import { rowText } from './row-text.ts';

const PAGE = 500;

/** What an export works with. */
export interface ExportOptions {
  readonly credentials: Pick<CredentialTable, 'scan'>;
  /** Whether our own columns are added. */
  readonly full: boolean;
  /** Takes lines, without the newline of the last one. */
  readonly write: (lines: string) => Promise<void>;
  /** Told of each row that does not open and is therefore left out. */
  readonly onFault: (row: ScannedRow) => void;
  /** Told how many rows have been written, after each page. */
  readonly onProgress: (rows: number) => void;
}

/** Writes all rows in the order of their ids, a page at a time; resolves to how many were written and left out. */
export async function exportRows(
  options: ExportOptions,
): Promise<{ readonly rows: number; readonly broken: number }> {
  const { credentials, full, write, onFault, onProgress } = options;
  let rows = 0;
  let broken = 0;
  let afterId: string | undefined;
  do {
    const page = await credentials.scan(PAGE, afterId);
    const sound = page.filter(row => row.fault === undefined);
    for (const row of page) if (row.fault !== undefined) onFault(row);
    if (sound.length > 0) await write(sound.map(row => rowText(row, full)).join('\n'));
    rows += sound.length;
    broken += page.length - sound.length;
    onProgress(rows);
    afterId = page.length < PAGE ? undefined : page.at(-1)?.id;
  } while (afterId !== undefined);
  return { rows, broken };
}
