import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/temporary.ts';
import { readPlans } from './statements.ts';

/** What auto_explain writes: a message whose further lines begin with a tab. */
function planned(query: string, plan: object): string {
  const lines = JSON.stringify({ 'Query Text': query, Plan: plan }, null, 2).split('\n');
  return [
    '2026-03-01 04:00:00.000 UTC [7] LOG:  duration: 0.010 ms  plan:',
    ...lines.map(line => `\t${line}`),
  ].join('\n');
}

test('plans are read from the log, the same ones together, with the steps that read something through', async () => {
  const log = join(temporaryFolder(), 'postgres.log');
  const byKey = {
    'Node Type': 'Index Scan',
    'Relation Name': 'things',
    'Index Name': 'things_pkey',
    'Index Cond': '(id = 1)',
  };
  const through = {
    'Node Type': 'ModifyTable',
    'Relation Name': 'things',
    Plans: [
      { 'Node Type': 'Seq Scan', 'Relation Name': 'things' },
      { 'Node Type': 'Index Only Scan', 'Relation Name': 'others', 'Index Name': 'others_pkey' },
    ],
  };
  const lines = [
    '2026-03-01 04:00:00.000 UTC [7] LOG:  database system is ready to accept connections',
    planned('select *\nfrom things where id = $1', byKey),
    planned('delete from things', through),
    '2026-03-01 04:00:00.000 UTC [7] LOG:  checkpoint starting: time',
    planned('select *  from things where id = $1', byKey),
  ];
  writeFileSync(log, lines.join('\n'));
  expect(await readPlans(log)).toEqual([
    {
      text: 'select * from things where id = $1',
      seen: 2,
      steps: ['Index Scan using things_pkey on things'],
      scans: [],
    },
    {
      text: 'delete from things',
      seen: 1,
      steps: ['Seq Scan on things', 'Index Only Scan using others_pkey on others'],
      scans: ['Seq Scan on things', 'Index Only Scan using others_pkey on others'],
    },
  ]);
});
