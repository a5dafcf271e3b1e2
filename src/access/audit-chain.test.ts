import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AuditRow } from '../stores/store.ts';
import { AUDIT_ACTIONS, type AuditEvent } from './audit.ts';
import { createAuditChain, readEntry } from './audit-chain.ts';
import { anchorLine, entryLine, exportedAudit, readAuditLine } from './audit-text.ts';
import { verifyAudit } from './audit-verify.ts';

const text = fc.option(fc.string({ unit: 'binary', maxLength: 400 }), { nil: undefined });
const event: fc.Arbitrary<AuditEvent> = fc.record({
  action: fc.constantFrom(...AUDIT_ACTIONS.filter(action => action !== 'stop')),
  outcome: fc.string({ unit: 'binary' }),
  actor: text,
  remoteAddress: text,
  kind: text,
  app: fc.option(fc.record({ name: fc.string(), appid: fc.string({ maxLength: 300 }) }), { nil: undefined }),
  user: text,
  credential: text,
  detail: text,
});
const drafts = fc.array(
  fc.record({ event, at: fc.nat(), since: fc.nat(), times: fc.integer({ min: 1, max: 5 }) }),
  { maxLength: 8 },
);

function chained(events: readonly { event: AuditEvent; at: number; since: number; times: number }[]) {
  const chain = createAuditChain('69a3b9c0-0011223344556677', 'node');
  const first = { action: 'start', outcome: 'done' } as const;
  const rows = [chain.append({ event: first, at: 1.5, since: 1.5, times: 1, version: 'v', heads: [] })];
  for (const draft of events) rows.push(chain.append(draft));
  return rows;
}

async function faultsIn(lines: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  const source = exportedAudit(
    async function* () {
      for (const [index, line] of lines.entries()) yield { number: index + 1, text: line };
    },
    line => faults.push(`line ${line}`),
  );
  await verifyAudit(source, ({ fault }) => faults.push(fault));
  return faults;
}

test('whatever is noted makes a chain that holds, in the database and as text', async () => {
  await fc.assert(
    fc.asyncProperty(drafts, async events => {
      const rows = chained(events);
      expect(rows.map(entryLine).map(readAuditLine)).toEqual(rows.map(row => ({ row })));
      expect(await faultsIn(rows.map(entryLine))).toEqual([]);
      for (const row of rows) {
        expect(Number.isInteger(row.at)).toBe(true);
        expect(row.actor?.length ?? 0).toBeLessThanOrEqual(255);
        expect(row.appid?.length ?? 0).toBeLessThanOrEqual(128);
      }
    }),
  );
});

test('no character of an entry can be changed without showing', async () => {
  await fc.assert(
    fc.asyncProperty(
      drafts,
      fc.nat(),
      fc.nat(),
      fc.constantFrom('0', 'x', ' ', '"', '9'),
      async (events, which, where, put) => {
        const lines = chained(events).map(entryLine);
        const at = which % lines.length;
        const line = lines[at] ?? '';
        const column = where % line.length;
        const changed = `${line.slice(0, column)}${put}${line.slice(column + 1)}`;
        // White space and the way of writing a character are no part of what is said.
        const same = JSON.stringify(readAuditLine(changed)) === JSON.stringify(readAuditLine(line));
        if (!same) expect(await faultsIn(lines.with(at, changed))).not.toEqual([]);
      },
    ),
  );
});

test('what is no line of an export is none, and never throws', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), line => {
      const read = readAuditLine(line);
      expect(read === undefined || 'row' in read || 'removed' in read).toBe(true);
    }),
  );
  const anchor = { chain: 'a', number: 3, hash: 'b', at: 4 };
  expect(readAuditLine(anchorLine(anchor))).toEqual({ removed: anchor });
  for (const line of ['1', 'null', '{}', '{"removed":{}}', '{"previous":"a","hash":"b"}', 'x'])
    expect(readAuditLine(line)).toBeUndefined();
});

test('a text that is no object is no entry', () => {
  for (const entry of ['', '[]', 'null', '1', '{']) expect(readEntry(entry)).toBeUndefined();
  const [row] = chained([]) as [AuditRow];
  expect(readEntry(row.entry)).toMatchObject({ chain: row.chain, number: 1, action: 'start' });
});
