import { Command } from 'commander';
import { exportedAudit } from '../access/audit-text.ts';
import { keepVerdict } from '../access/audit-verdict.ts';
import {
  type AuditFault,
  type AuditSource,
  type AuditVerdict,
  storedAudit,
  verifyAudit,
} from '../access/audit-verify.ts';
import { systemClock } from '../base/clock.ts';
import type { AuditEntryBody } from '../contract/audit.ts';
import { count, instant } from './arguments.ts';
import { exportAudit } from './audit/export.ts';
import { recordCommand } from './audited.ts';
import { type CliContext, print } from './context.ts';
import { openInputFile } from './data/input.ts';
import { readLines } from './data/line-reader.ts';
import { withStore } from './data/stored-data.ts';
import { destinationOf } from './data/write-out.ts';
import { progress } from './progress.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

/** Longest line of an export: an entry with the heads of many chains. */
const LONGEST_LINE = 1024 * 1024;
/** Of what is wrong, so much is listed; the rest is counted. */
const MOST_LISTED = 1000;

interface ListOptions extends RemoteOptions {
  readonly last: number;
  readonly app?: string;
  readonly credential?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly since?: string;
  readonly until?: string;
}

interface ExportFlags {
  readonly config: string;
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

interface VerifyFlags {
  readonly config: string;
  readonly file?: string;
  readonly json?: boolean;
}

/** `open-bridge audit`: who read, set, replaced or was refused what. */
export function auditCommand(context: CliContext): Command {
  const audit = new Command('audit').description('who read, set, replaced or was refused what');
  remote(context, audit.command('list'))
    .description('the latest entries of a running bridge')
    .option('--last <n>', 'how many to list, the latest first', count, 50)
    .option('--app <app>', 'only entries on this app, by name or appid')
    .option('--credential <fingerprint>', 'only entries on the credential with this fingerprint')
    .option('--actor <name>', 'only what this caller, or admin, local, … did')
    .option('--action <action>', 'only entries of this action, such as read or refused')
    .option('--since <time>', 'only entries from this time on, in ISO 8601', instant)
    .option('--until <time>', 'only entries before this time, in ISO 8601', instant)
    .action((options: ListOptions) => listEntries(context, options));
  remote(context, audit.command('head'))
    .description('the last entry of each chain: kept elsewhere, they show what is cut off later')
    .action(async (options: RemoteOptions) => {
      const answer = await clientFor(context, options).listAuditHeads();
      await print(context, options.json, answer, () =>
        answer.heads.map(({ chain, number, hash }) => `${chain} ${number} ${hash}`),
      );
    });
  audit
    .command('export')
    .description('write the whole log to a file: one JSON object a line')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('-o, --out <file>', 'a new file, readable by you alone; - for standard output', 'audit.jsonl')
    .option('--force', 'replace the file if it is there')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nWorks beside a running bridge.')
    .action((flags: ExportFlags) => exportEntries(context, flags));
  audit
    .command('verify')
    .description('check that nothing in the log was changed, taken out or put in')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('-f, --file <file>', 'check an export instead of the database')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nWorks beside a running bridge. Exit status: 1 when something is wrong.')
    .action(async (flags: VerifyFlags) => {
      if ((await verify(context, flags)) > 0) context.exit(1);
    });
  return audit;
}

async function listEntries(context: CliContext, options: ListOptions): Promise<void> {
  const { last, app, credential, actor, action, since, until } = options;
  const client = clientFor(context, options);
  const entries: AuditEntryBody[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(200, last - entries.length);
    const page = await client.listAudit({
      ...{ app, credential, actor, action, since, until, limit, cursor },
    });
    entries.push(...page.entries);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && entries.length < last);
  await print(context, options.json, { entries }, () =>
    entries.length === 0 ? ['no such entry is in the audit log'] : entries.map(inOneLine),
  );
}

function inOneLine(entry: AuditEntryBody): string {
  const { at, since, times, action, outcome, actor, address, kind, app, user, credential, detail } = entry;
  const words = [
    at,
    outcome === 'done' ? action : `${action} ${outcome}`,
    `by ${actor ?? 'somebody unknown'}${address === null ? '' : ` from ${address}`}`,
    kind === null ? undefined : `${kind}${app === null ? '' : ` of ${app}`}`,
    user === null ? undefined : `user ${user}`,
    credential ?? undefined,
    detail === null ? undefined : `(${detail})`,
    times === 1 ? undefined : `${times} times since ${since}`,
  ];
  return words.filter(word => word !== undefined).join('  ');
}

async function exportEntries(context: CliContext, flags: ExportFlags): Promise<void> {
  const { config, out, force = false, json } = flags;
  const destination = destinationOf(context, out, force);
  const entries = await withStore(context, config, 'read', store =>
    destination.open(write =>
      exportAudit({ table: store.audit, write, onProgress: progress(context, 'entries written') }),
    ),
  );
  await print(destination.told, json, { file: out, entries }, () => [
    `${entries} entries written to ${destination.name}; check them with: open-bridge audit verify --file ${out}`,
  ]);
}

/** Resolves to the number of things that are wrong. */
async function verify(context: CliContext, { config, file, json }: VerifyFlags): Promise<number> {
  const listed: AuditFault[] = [];
  const onFault = (fault: AuditFault): void => {
    if (listed.length < MOST_LISTED) listed.push(fault);
  };
  const verdict =
    file === undefined ? await verifyStored(context, config, onFault) : await verifyFile(file, onFault);
  const { chains, entries, faults } = verdict;
  await print(context, json, { ...verdict, listed }, () => [
    ...listed.map(({ chain, number, fault }) => `chain ${chain}, entry ${number}: ${fault}`),
    `${entries} entries in ${chains} chains: ${faults === 0 ? 'nothing was changed or taken out that shows' : `${faults} faults${faults > listed.length ? ` (the first ${listed.length} are listed)` : ''}`}`,
  ]);
  return faults;
}

/** The verdict stands in the database for the metrics of running bridges, and in the log itself. */
function verifyStored(
  context: CliContext,
  config: string,
  onFault: (fault: AuditFault) => void,
): Promise<AuditVerdict> {
  return withStore(context, config, 'read', async store => {
    const told = progress(context, 'entries checked');
    const verdict = await verifyAudit(counting(storedAudit(store.audit), told), onFault);
    const { faults } = verdict;
    await keepVerdict(store.settings, { at: systemClock.now(), faults });
    await recordCommand(context, store, {
      action: 'verify',
      outcome: faults === 0 ? 'done' : `${faults} faults`,
    });
    return verdict;
  });
}

async function verifyFile(file: string, onFault: (fault: AuditFault) => void): Promise<AuditVerdict> {
  let malformed = 0;
  async function* lines() {
    for await (const line of readLines(
      await openInputFile(file, 'give the file that open-bridge audit export wrote'),
      LONGEST_LINE,
    ))
      yield { number: line.number, text: 'text' in line ? line.text : undefined };
  }
  const source = exportedAudit(lines, number => {
    malformed += 1;
    onFault({ chain: file, number, fault: 'this line is no entry' });
  });
  const verdict = await verifyAudit(source, onFault);
  return { ...verdict, faults: verdict.faults + malformed };
}

function counting(source: AuditSource, told: (entries: number) => void): AuditSource {
  return {
    ...source,
    async *rows() {
      let entries = 0;
      for await (const row of source.rows()) {
        entries += 1;
        told(entries);
        yield row;
      }
    },
  };
}
