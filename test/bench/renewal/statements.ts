import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { BenchPostgres } from '../servers/postgres.ts';

/**
 * What PostgreSQL is told to watch: the sums of all statements, and how some of them were carried out.
 * Both modules come with it.
 */
export const WATCHING = [
  'shared_preload_libraries=pg_stat_statements,auto_explain',
  'auto_explain.log_min_duration=0',
  'auto_explain.sample_rate=0.02',
  'auto_explain.log_format=json',
];

/** How often a table was read through from its beginning, and how many rows that took. */
export interface TableScans {
  readonly table: string;
  readonly scans: number;
  readonly rows: number;
}

/** One statement, however often and with whatever values. */
export interface Statement {
  readonly text: string;
  readonly calls: number;
  readonly meanMs: number;
}

/** What PostgreSQL has counted. */
export interface Counts {
  readonly tables: readonly TableScans[];
  readonly statements: readonly Statement[];
  readonly walMib: number;
}

/** How a statement was carried out, as far as it was seen. */
export interface Plan {
  readonly text: string;
  readonly seen: number;
  /** The steps of it that touch a table, such as `Index Scan using open_bridge_due`. */
  readonly steps: readonly string[];
  /** Those of them that read a table or an index through. */
  readonly scans: readonly string[];
}

/** Begins to count: what went before is forgotten. */
export async function beginCounts(postgres: BenchPostgres): Promise<void> {
  await postgres.query('create extension if not exists pg_stat_statements');
  await postgres.query('select pg_stat_statements_reset()');
  await postgres.query('select pg_stat_reset()');
}

/** Reads what was counted since. */
export async function readCounts(postgres: BenchPostgres): Promise<Counts> {
  const tables = await postgres.query(
    'select relname, seq_scan, seq_tup_read from pg_stat_user_tables where seq_scan > 0 order by relname',
  );
  const statements = await postgres.query(
    `select query, calls, mean_exec_time, wal_bytes from pg_stat_statements
     where query !~* 'pg_stat|^(begin|commit|set|show)' order by calls desc`,
  );
  return {
    tables: tables.map(row => ({
      table: String(row['relname']),
      scans: Number(row['seq_scan']),
      rows: Number(row['seq_tup_read']),
    })),
    statements: statements.map(row => ({
      text: String(row['query']).replaceAll(/\s+/g, ' '),
      calls: Number(row['calls']),
      meanMs: Number(row['mean_exec_time']),
    })),
    walMib: statements.reduce((sum, row) => sum + Number(row['wal_bytes']), 0) / 2 ** 20,
  };
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Reads the plans that auto_explain wrote into the server's log, the same ones of a statement together. */
export async function readPlans(logFile: string): Promise<readonly Plan[]> {
  const found = new Map<string, Plan & { seen: number }>();
  const note = (json: string): void => {
    const { 'Query Text': query, Plan: root } = JSON.parse(json) as { 'Query Text': string; Plan: PlanNode };
    const text = query.replaceAll(/\s+/g, ' ');
    const nodes = nodesOf(root).filter(node => node['Node Type'].includes('Scan'));
    const steps = nodes.map(stepOf);
    const key = `${text}\n${steps.join('\n')}`;
    const plan = found.get(key) ?? { text, seen: 0, steps, scans: nodes.filter(readsThrough).map(stepOf) };
    plan.seen += 1;
    found.set(key, plan);
  };
  // A message goes on in lines that begin with a tab.
  let open: string[] | undefined;
  for await (const line of createInterface({ input: createReadStream(logFile) })) {
    if (line.startsWith('\t') && open !== undefined) open.push(line);
    else {
      if (open !== undefined && open.length > 0) note(open.join('\n'));
      open = line.endsWith(' plan:') ? [] : undefined;
    }
  }
  if (open !== undefined && open.length > 0) note(open.join('\n'));
  return [...found.values()].sort((a, b) => b.seen - a.seen);
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

function stepOf(node: PlanNode): string {
  const over = [
    node['Index Name'] && ` using ${node['Index Name']}`,
    node['Relation Name'] && ` on ${node['Relation Name']}`,
  ];
  return `${node['Node Type']}${over.filter(Boolean).join('')}`;
}

/** Whether a step goes through all there is: a table, or an index without a condition. */
function readsThrough(node: PlanNode): boolean {
  if (node['Node Type'] === 'Seq Scan') return true;
  return node['Node Type'].startsWith('Index') && node['Index Cond'] === undefined;
}
