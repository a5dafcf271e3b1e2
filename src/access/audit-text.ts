import type { AuditAnchor, AuditHead, AuditRow } from '../stores/store.ts';
import { readEntry } from './audit-chain.ts';
import { type AuditSource, entryKey } from './audit-verify.ts';

/**
 * The line of an entry in an export. The text of the entry stands in it as it was hashed, so that anybody
 * can check the chain with any SHA-256.
 */
export function entryLine({ previous, hash, entry }: AuditRow): string {
  return `{"previous":"${previous}","hash":"${hash}","entry":${entry}}`;
}

/** The line that tells what retention has removed from the front of a chain. */
export function anchorLine({ chain, number, hash, at }: AuditAnchor): string {
  return JSON.stringify({ removed: { chain, number, hash, at } });
}

/** A line of an export; undefined when it is none. */
export function readAuditLine(
  text: string,
): { readonly row: AuditRow } | { readonly removed: AuditHead } | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof line !== 'object' || line === null) return undefined;
  const { removed, previous, hash, entry } = line as Readonly<Record<string, unknown>>;
  if (isHead(removed)) return { removed };
  if (typeof previous !== 'string' || typeof hash !== 'string') return undefined;
  // The order of fields and the way of writing are those of JSON.stringify, which made the text.
  const body = JSON.stringify(entry);
  const read = body === undefined ? undefined : readEntry(body);
  if (read === undefined) return undefined;
  const { chain, number, at, action, actor, appid, credential } = read;
  return { row: { chain, number, hash, previous, at, action, actor, appid, credential, entry: body } };
}

function isHead(value: unknown): value is AuditHead {
  const { chain, number, hash } = (value ?? {}) as Partial<Record<keyof AuditHead, unknown>>;
  return typeof chain === 'string' && typeof number === 'number' && typeof hash === 'string';
}

/** The entries of an export, which is read more than once. Lines that are none are told of. */
export function exportedAudit(
  lines: () => AsyncIterable<{ readonly number: number; readonly text: string | undefined }>,
  onMalformed: (line: number) => void,
): AuditSource {
  let anchors: Promise<ReadonlyMap<string, AuditHead>> | undefined;

  async function* rows(told: (line: number) => void): AsyncIterable<AuditRow> {
    for await (const { number, text } of lines()) {
      const read = text === undefined ? undefined : readAuditLine(text);
      if (read === undefined) told(number);
      else if ('row' in read) yield read.row;
    }
  }

  async function readAnchors(): Promise<ReadonlyMap<string, AuditHead>> {
    const found = new Map<string, AuditHead>();
    for await (const { text } of lines()) {
      const read = text?.startsWith('{"removed"') ? readAuditLine(text) : undefined;
      if (read !== undefined && 'removed' in read) found.set(read.removed.chain, read.removed);
    }
    return found;
  }

  return {
    rows: () => rows(onMalformed),
    async anchor(chain) {
      anchors ??= readAnchors();
      return (await anchors).get(chain);
    },
    async hashes(wanted) {
      const keys = new Set(wanted.map(entryKey));
      const found = new Map<string, string>();
      for await (const row of rows(() => {})) {
        const key = entryKey(row);
        if (keys.has(key)) found.set(key, row.hash);
      }
      return found;
    },
  };
}
