/** Breaks everything around many nodes and checks what callers see. `npm run chaos -- --help` */
import { randomInt } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missingFor } from './open-database.ts';
import { readOptions } from './options.ts';
import { reportText } from './report.ts';
import { runFaults } from './run.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const options = readOptions(process.argv.slice(2), randomInt(1_000_000));
if (typeof options === 'string') {
  print(options);
} else {
  const missing = missingFor(options);
  if (missing === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'open-bridge-fault-'));
    const report = await runFaults(options, folder, print);
    print(`\n${reportText(report)}`);
    process.exitCode = report.journal.violations.length > 0 ? 1 : 0;
  } else {
    print(`SKIPPED: ${missing} is not installed here`);
    process.exitCode = process.env['CI'] === 'true' ? 1 : 0;
  }
}
