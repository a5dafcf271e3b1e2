import { anchorLine, entryLine } from '../../access/audit-text.ts';
import { storedAudit } from '../../access/audit-verify.ts';
import type { AuditAnchor, AuditTable } from '../../stores/store.ts';

const PAGE = 500;

/** What an export of the audit log works with. */
export interface ExportAuditOptions {
  readonly table: AuditTable;
  /** Takes lines, without the newline of the last one. */
  readonly write: (lines: string) => Promise<void>;
  /** Told how many entries have been written, after each page. */
  readonly onProgress: (entries: number) => void;
}

/**
 * Writes all entries, chain by chain, then what retention has removed: what it removes meanwhile is missing
 * from the entries and told by those last lines. Resolves to the number of entries.
 */
export async function exportAudit({ table, write, onProgress }: ExportAuditOptions): Promise<number> {
  let entries = 0;
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    if (lines.length > 0) await write(lines.join('\n'));
    lines = [];
    onProgress(entries);
  };
  for await (const row of storedAudit(table).rows()) {
    lines.push(entryLine(row));
    entries += 1;
    if (lines.length === PAGE) await flush();
  }
  let anchors: readonly AuditAnchor[];
  let after: string | undefined;
  do {
    anchors = await table.anchors(PAGE, after);
    lines.push(...anchors.map(anchorLine));
    after = anchors.at(-1)?.chain;
    await flush();
  } while (anchors.length === PAGE);
  return entries;
}
