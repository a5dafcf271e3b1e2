import type { AuditHead, AuditRow, AuditTable } from '../stores/store.ts';
import { linkHash, NO_HASH, readEntry } from './audit-chain.ts';

const PAGE = 1000;

/** Where entries are read from to be checked. */
export interface AuditSource {
  /** All entries, chain by chain, in the order of their numbers. */
  rows(): AsyncIterable<AuditRow>;
  /** The last entry that retention removed from the front of a chain. */
  anchor(chain: string): Promise<AuditHead | undefined>;
  /** Hashes of those of these entries that are there, by `entryKey`. */
  hashes(wanted: readonly Pick<AuditHead, 'chain' | 'number'>[]): Promise<ReadonlyMap<string, string>>;
}

/** Something that was changed, or is missing. */
export interface AuditFault {
  readonly chain: string;
  /** The entry where it shows. */
  readonly number: number;
  readonly fault: string;
}

/** What was checked. */
export interface AuditVerdict {
  readonly chains: number;
  readonly entries: number;
  readonly faults: number;
}

/** Names one entry. */
export function entryKey({ chain, number }: Pick<AuditHead, 'chain' | 'number'>): string {
  return `${chain}/${number}`;
}

/**
 * Checks every entry: numbers without gaps, hashes, links, the columns that repeat what an entry says, and
 * that whatever other chains saw is still there. Entries may be added and removed by retention meanwhile.
 */
export async function verifyAudit(
  source: AuditSource,
  onFault: (fault: AuditFault) => void,
): Promise<AuditVerdict> {
  /** Entries that other chains saw, and who saw them. */
  const seen = new Map<string, AuditHead & { readonly by: string }>();
  let chains = 0;
  let entries = 0;
  let faults = 0;
  let last: AuditRow | undefined;
  const tell = ({ chain, number }: Pick<AuditHead, 'chain' | 'number'>, fault: string): void => {
    faults += 1;
    onFault({ chain, number, fault });
  };

  for await (const row of source.rows()) {
    entries += 1;
    const before = last?.chain === row.chain ? last : undefined;
    if (before === undefined) chains += 1;
    for (const fault of faultsOf(row, seen)) tell(row, fault);
    if (!follows(before, row)) {
      const fault = await linkFault(source, before, row);
      if (fault !== undefined) tell(row, fault);
    }
    if (before?.action === 'stop') tell(row, 'stands after the end of its chain');
    last = row;
  }

  const claims = [...seen.values()];
  const hashes = await source.hashes(claims);
  for (const claim of claims) {
    const hash = hashes.get(entryKey(claim));
    if (hash === claim.hash) continue;
    if (hash !== undefined) {
      tell(claim, `is not the entry that ${claim.by} saw`);
      continue;
    }
    const anchor = await source.anchor(claim.chain);
    const removed = anchor !== undefined && anchor.number >= claim.number;
    const agrees = anchor?.number !== claim.number || anchor.hash === claim.hash;
    if (!removed || !agrees) tell(claim, `is missing, with what followed it; ${claim.by} saw it`);
  }
  return { chains, entries, faults };
}

/** What is wrong with an entry by itself. Notes what it says of other chains. */
function faultsOf(row: AuditRow, seen: Map<string, AuditHead & { readonly by: string }>): string[] {
  const entry = readEntry(row.entry);
  if (entry === undefined) return ['its text is no entry'];
  const faults: string[] = [];
  if (linkHash(row.previous, row.entry) !== row.hash) faults.push('was changed: its hash does not fit');
  for (const name of ['chain', 'number', 'at', 'action', 'actor', 'appid', 'credential'] as const)
    if (row[name] !== entry[name]) faults.push(`was changed: its column ${name} is not what it says`);
  if (row.number === 1 && row.action !== 'start') faults.push('is the first of its chain and no beginning');
  const by = entryKey(row);
  for (const head of entry.heads ?? []) seen.set(`${entryKey(head)}/${head.hash}`, { ...head, by });
  return faults;
}

function follows(before: AuditRow | undefined, row: AuditRow): boolean {
  const { number = 0, hash = NO_HASH } = before ?? {};
  return row.number === number + 1 && row.previous === hash;
}

/** Why an entry does not follow the one before it in its chain, of which the first ones may have been removed. */
async function linkFault(
  source: AuditSource,
  before: AuditRow | undefined,
  row: AuditRow,
): Promise<string | undefined> {
  if (before !== undefined && row.number <= before.number) return 'is out of its order';
  const expected = (before?.number ?? 0) + 1;
  if (row.number === expected) return 'does not follow the entry before it: one of them was replaced';
  const anchor = await source.anchor(row.chain);
  if (anchor !== undefined && anchor.number >= row.number) return undefined;
  if (anchor?.number === row.number - 1)
    return anchor.hash === row.previous ? undefined : 'does not follow the last entry that was removed';
  const from = Math.max(expected, (anchor?.number ?? 0) + 1);
  return from === row.number - 1
    ? `entry ${from} before it is missing`
    : `entries ${from} to ${row.number - 1} before it are missing`;
}

/** The entries of a store. */
export function storedAudit(table: AuditTable): AuditSource {
  return {
    async *rows() {
      let names: readonly string[];
      let chain: string | undefined;
      do {
        names = await table.chains(PAGE, chain);
        for (chain of names) {
          let page: readonly AuditRow[];
          let after = 0;
          do {
            page = await table.scan(chain, PAGE, after);
            for (const row of page) yield row;
            after = page.at(-1)?.number ?? after;
          } while (page.length === PAGE);
        }
      } while (names.length === PAGE);
    },
    anchor: chain => table.anchor(chain),
    async hashes(wanted) {
      const found = new Map<string, string>();
      for (const { chain, number } of wanted) {
        const row = await table.get(chain, number);
        if (row !== undefined) found.set(entryKey(row), row.hash);
      }
      return found;
    },
  };
}
