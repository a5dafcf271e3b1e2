import { createHash } from 'node:crypto';
import * as z from 'zod';
import { BridgeError } from '../../base/errors.ts';
import { COPIED } from '../../stores/sql/copied-columns.ts';
import type { CopiedPage, CopiedRow, CopiedTable } from '../../stores/store.ts';
import type { Line } from './line-reader.ts';

/** Changes when a former version of this program could not restore what this one writes. */
const FORMAT = 1;

/** Rows handed on at once, and about how many characters of them. */
const PAGE = 500;
const PAGE_LENGTH = 4 * 1024 * 1024;

const tableName = z.enum(Object.keys(COPIED) as [CopiedTable, ...CopiedTable[]]);

const headerShape = z.object({
  openBridgeBackup: z.number(),
  /** Version of the program that wrote it. */
  version: z.string(),
  /** When it was begun: ISO 8601. */
  at: z.string(),
  /** The last step of the schema. */
  schema: z.string(),
  /** Ids of the keys that something in it may be sealed with. */
  sealKeys: z.array(z.string()),
  tables: z.array(z.string()),
});

const rowShape = z.strictObject({
  table: tableName,
  row: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});

const endShape = z.strictObject({
  end: z.literal(true),
  /** Rows by table. */
  rows: z.record(z.string(), z.number()),
  /** SHA-256 of all lines before this one, in hex. */
  sha256: z.string(),
});

/** The first line of a backup. */
export type BackupHeader = Omit<z.infer<typeof headerShape>, 'openBridgeBackup' | 'tables'> & {
  readonly tables: readonly CopiedTable[];
};

/** Rows by table. */
export type RowCounts = Readonly<Record<string, number>>;

/** Writes the lines of a backup: a header, a line for each row, an end. Resolves to the number of rows. */
export async function writeBackup(
  header: BackupHeader,
  pages: AsyncIterable<CopiedPage>,
  write: (lines: string) => Promise<void>,
  onProgress: (rows: number) => void,
): Promise<RowCounts> {
  const hash = createHash('sha256');
  const put = (lines: string): Promise<void> => {
    hash.update(`${lines}\n`);
    return write(lines);
  };
  const counts: Record<string, number> = Object.fromEntries(header.tables.map(table => [table, 0]));
  let total = 0;
  await put(JSON.stringify({ openBridgeBackup: FORMAT, ...header }));
  for await (const { table, rows } of pages) {
    await put(rows.map(row => JSON.stringify({ table, row })).join('\n'));
    counts[table] = (counts[table] ?? 0) + rows.length;
    total += rows.length;
    onProgress(total);
  }
  await write(JSON.stringify({ end: true, rows: counts, sha256: hash.digest('hex') }));
  return counts;
}

/** What reading a backup takes. */
export interface BackupReading {
  /** How messages name it. */
  readonly name: string;
  readonly lines: AsyncIterable<Line>;
  /** Steps of the schema that this version knows. */
  readonly steps: readonly string[];
  readonly onHeader: (header: BackupHeader) => void;
}

/**
 * The rows of a backup. Throws BridgeError REQUEST_MALFORMED, naming the line, when it is not one, is of a
 * newer version, or is not exactly as it was written: whoever changes something waits for the end.
 */
export async function* readBackup({
  name,
  lines,
  steps,
  onHeader,
}: BackupReading): AsyncGenerator<CopiedPage> {
  const hash = createHash('sha256');
  const counts: Record<string, number> = {};
  let header: BackupHeader | undefined;
  let ended = false;
  let last = 0;
  let page: { readonly table: CopiedTable; readonly rows: CopiedRow[] } | undefined;
  let length = 0;
  for await (const line of lines) {
    last = line.number;
    const fail = (what: string): never => malformed(`${name}:${line.number}: ${what}`);
    if ('fault' in line) return fail(line.fault);
    if (ended) return fail('follows the end of the backup');
    const content = jsonOf(line.text) ?? fail('is not JSON');
    if (header === undefined) {
      header = headerOf(content, steps, fail);
      onHeader(header);
    } else if ('end' in content) {
      const { rows, sha256 } = parsed(endShape, content, fail);
      const complete = header.tables.every(table => rows[table] === (counts[table] ?? 0));
      if (!complete || sha256 !== hash.digest('hex')) fail('the backup was changed or is damaged');
      ended = true;
      continue;
    } else {
      const { table, row } = parsed(rowShape, content, fail);
      if (!header.tables.includes(table)) fail(`a row of ${table}, which the header does not name`);
      const fault = rowFault(table, row);
      if (fault !== undefined) fail(fault);
      if (page !== undefined && (page.table !== table || page.rows.length >= PAGE || length >= PAGE_LENGTH)) {
        yield page;
        page = undefined;
        length = 0;
      }
      page ??= { table, rows: [] };
      page.rows.push(row);
      length += line.text.length;
      counts[table] = (counts[table] ?? 0) + 1;
    }
    hash.update(`${line.text}\n`);
  }
  if (page !== undefined) yield page;
  if (!ended) malformed(`${name}:${last}: the backup ends in the middle`);
}

type Fail = (what: string) => never;

function headerOf(content: object, steps: readonly string[], fail: Fail): BackupHeader {
  const shape = headerShape.safeParse(content);
  if (!shape.success) return fail('is not the first line of a backup');
  const { openBridgeBackup, tables, ...header } = shape.data;
  const unknown = tables.filter(table => !tableName.safeParse(table).success);
  if (openBridgeBackup !== FORMAT || !steps.includes(header.schema) || unknown.length > 0) {
    throw new BridgeError(
      'REQUEST_MALFORMED',
      `the backup was written by version ${header.version}, whose form this version does not know`,
      { hint: 'restore it with that version or a newer one' },
    );
  }
  return { ...header, tables: tables as CopiedTable[] };
}

function rowFault(table: CopiedTable, row: CopiedRow): string | undefined {
  const { columns } = COPIED[table];
  const foreign = Object.keys(row).find(name => columns[name] === undefined);
  if (foreign !== undefined) return `${table} has no column ${JSON.stringify(foreign)}`;
  for (const [name, { type, optional }] of Object.entries(columns)) {
    const value = row[name] ?? null;
    if (value === null ? !optional : typeof value !== (type === 'text' ? 'string' : 'number'))
      return `${table}.${name} must be a ${type}`;
  }
  return undefined;
}

function jsonOf(text: string): object | undefined {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null ? content : undefined;
  } catch {
    return undefined;
  }
}

function parsed<T>(shape: z.ZodType<T>, content: object, fail: Fail): T {
  const result = shape.safeParse(content);
  return result.success ? result.data : fail('is no line of a backup');
}

function malformed(message: string): never {
  throw new BridgeError('REQUEST_MALFORMED', message, {
    hint: 'nothing was changed; give the file as open-bridge data backup wrote it, whole',
  });
}
