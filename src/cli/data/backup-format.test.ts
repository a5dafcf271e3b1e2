import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BridgeError } from '../../base/errors.ts';
import type { CopiedPage, CopiedRow } from '../../stores/store.ts';
import { type BackupHeader, readBackup, writeBackup } from './backup-format.ts';
import { readLines } from './line-reader.ts';

const STEPS = ['0001-first', '0002-calls'];

const header: BackupHeader = {
  ...{ version: '1.2.3', at: '2026-03-01T04:00:00.000Z', schema: '0001-first', sealKeys: ['0a1b2c3d'] },
  tables: ['open_bridge_settings', 'open_bridge_budgets'],
};

async function written(pages: readonly CopiedPage[], head = header): Promise<string> {
  let text = '';
  const source = async function* () {
    yield* pages;
  };
  await writeBackup(
    head,
    source(),
    async lines => {
      text += `${lines}\n`;
    },
    () => {},
  );
  return text;
}

async function read(
  text: string,
): Promise<{ header: BackupHeader | undefined; pages: readonly CopiedPage[] }> {
  const bytes = async function* () {
    yield Buffer.from(text);
  };
  const pages: CopiedPage[] = [];
  let found: BackupHeader | undefined;
  const lines = readLines(bytes(), 100_000);
  const onHeader = (each: BackupHeader): void => {
    found = each;
  };
  for await (const page of readBackup({ name: 'file', lines, steps: STEPS, onHeader })) pages.push(page);
  return { header: found, pages };
}

const setting = fc.record({ name: fc.string({ unit: 'binary' }), value: fc.string({ unit: 'binary' }) });
const budget = fc.record({
  subject: fc.string(),
  period: fc.string(),
  used: fc.nat(),
  last_at: fc.maxSafeNat(),
});

const rowsIn = (pages: readonly CopiedPage[]): readonly CopiedRow[] => pages.flatMap(({ rows }) => rows);

test('what was written is read again', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(setting, { maxLength: 20 }),
      fc.array(budget, { maxLength: 20 }),
      async (settings, budgets) => {
        const pages: CopiedPage[] = [
          ...settings.map(row => ({ table: 'open_bridge_settings' as const, rows: [row] })),
          { table: 'open_bridge_budgets', rows: budgets },
        ].filter(({ rows }) => rows.length > 0) as CopiedPage[];
        const again = await read(await written(pages));
        expect(again.header).toEqual(header);
        expect(rowsIn(again.pages)).toEqual(rowsIn(pages));
      },
    ),
  );
});

test('many rows come in pages, each of one table', async () => {
  const settings = Array.from({ length: 1200 }, (_, at) => ({ name: `n${at}`, value: 'v' }));
  const budgets = [{ subject: 's', period: 'p', used: 1, last_at: 2 }];
  const text = await written([
    { table: 'open_bridge_settings', rows: settings },
    { table: 'open_bridge_budgets', rows: budgets },
  ]);
  const { pages } = await read(text);
  expect(pages.map(({ table, rows }) => [table, rows.length])).toEqual([
    ['open_bridge_settings', 500],
    ['open_bridge_settings', 500],
    ['open_bridge_settings', 200],
    ['open_bridge_budgets', 1],
  ]);
});

test('no letter can be changed, taken away or added, and no line moved', async () => {
  const settings = Array.from({ length: 5 }, (_, at) => ({ name: `n${at}`, value: `value ${at}` }));
  const text = await written([{ table: 'open_bridge_settings', rows: settings }]);
  const refused = async (changed: string): Promise<void> => {
    const error = await read(changed).catch((thrown: unknown) => thrown);
    if (!(error instanceof BridgeError)) throw new Error(`was taken: ${changed}`);
    expect(error.code).toBe('REQUEST_MALFORMED');
  };
  for (let at = 0; at < text.length - 1; at += 1) {
    const letter = text[at] === 'x' ? 'y' : 'x';
    // White space around lines and in the last one means nothing.
    if (text[at] === '\n') await refused(text.slice(0, at) + letter + text.slice(at));
    else await refused(text.slice(0, at) + letter + text.slice(at + 1));
  }
  const lines = text.trimEnd().split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    await refused(lines.filter((_, index) => index !== at).join('\n'));
    await refused([...lines.slice(0, at), lines[at], ...lines.slice(at)].join('\n'));
  }
});

test.each([
  ['another column', { name: 'a', value: 'b', more: 'c' }, 'open_bridge_settings has no column "more"'],
  ['a number for a text', { name: 'a', value: 5 }, 'open_bridge_settings.value must be a text'],
  ['nothing for a text', { name: 'a', value: null }, 'open_bridge_settings.value must be a text'],
  ['a missing text', { name: 'a' }, 'open_bridge_settings.value must be a text'],
])('a row with %s is refused with its line', async (_, row, message) => {
  const text = await written([{ table: 'open_bridge_settings', rows: [row] }]);
  await expect(read(text)).rejects.toThrow(`file:2: ${message}`);
});

test.each([
  ['schema', { ...header, schema: '0009-later' }],
  ['tables', { ...header, tables: [...header.tables, 'later_table'] }],
])('a backup of a newer version is refused by its %s', async (_, head) => {
  await expect(read(await written([], head as BackupHeader))).rejects.toThrow(
    'was written by version 1.2.3, whose form this version does not know',
  );
});

test('a row of a table that the header does not name is refused', async () => {
  const rows = [{ name: 'a', value: 'b' }];
  const text = await written([{ table: 'open_bridge_settings', rows }], {
    ...header,
    tables: ['open_bridge_budgets'],
  });
  await expect(read(text)).rejects.toThrow('which the header does not name');
});
