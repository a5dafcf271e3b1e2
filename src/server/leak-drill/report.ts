import { readEntry } from '../../access/audit-chain.ts';
import type { AuditLog } from '../../access/audit-log.ts';
import type { LeakReportBody } from '../../contract/leak-drill.ts';
import type { Authority } from '../../credentials/credentials.ts';
import type { App } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import type { AuditQuery, AuditRow, AuditTable, UsageTable } from '../../stores/store.ts';
import type { CallLog } from '../call-log.ts';
import { usageDay } from '../usage.ts';
import type { Drill } from './drill.ts';
import { drillPlanOf } from './plan.ts';

/** A page of the audit log, and most pages of one question: 100 000 entries, some seconds of work. */
const PAGE = 200;
const MOST_PAGES = 500;
/** Most rows told apart; a report of more is read by nobody. */
const MOST_READERS = 1000;
const MOST_BULK = 200;
const MOST_ANCHORS = 1000;

/** Actions by which somebody is shown a token. */
const SHOWING = ['read', 'token-issued'] as const;
/** Actions by which everything stored is carried out of the database, for any app. */
const CARRYING = ['export', 'backup'] as const;

/** What reports are made of. */
export interface ReportDeps {
  readonly table: AuditTable;
  readonly auditLog: Pick<AuditLog, 'flush'>;
  readonly usage: UsageTable;
  readonly callLog: Pick<CallLog, 'flush'>;
  readonly authority: Pick<Authority, 'status'>;
}

type Reader = NonNullable<LeakReportBody['readers']>[number];

/**
 * Who had the tokens of an app since a time, and what is to be done. `drill` is undefined in a rehearsal.
 */
export async function leakReport(
  deps: ReportDeps,
  app: App,
  options: {
    readonly since: number;
    readonly drill: Drill | undefined;
    /** Whether whoever asks may read the audit log, and what stands in it on no app. */
    readonly withReaders: boolean;
    readonly withBulk: boolean;
  },
): Promise<LeakReportBody> {
  const { since, drill, withReaders, withBulk } = options;
  await deps.auditLog.flush();
  await deps.callLog.flush();
  const shown = withReaders ? await readersSince(deps.table, app, since) : undefined;
  const bulk = withReaders && withBulk ? await bulkSince(deps.table, since) : undefined;
  const day = usageDay(since);
  const calls = new Map<string | undefined, number>();
  for (const row of await deps.usage.list({ since: day }))
    if (row.appid === app.appid) calls.set(row.caller, (calls.get(row.caller) ?? 0) + row.calls);
  return {
    since: moment(since),
    readers: shown?.readers ?? null,
    bulk: bulk ?? null,
    truncated: shown?.truncated ?? false,
    calls: [...calls]
      .map(([caller, count]) => ({ caller: caller ?? null, calls: count }))
      .toSorted((a, b) => b.calls - a.calls),
    callsSince: day,
    warnings: [
      ...(drill?.tokens ?? [])
        .filter(({ probe }) => probe === 'taken')
        .map(
          ({ fingerprint }) =>
            `the platform still took ${fingerprint} at the end of the drill, though it was replaced: reset the secret, and ask the platform`,
        ),
      ...(await auditWarnings(deps.table, since)),
      ...(drill?.tickets ?? []).map(
        ({ kind, outcome }) =>
          `${kind}: ${outcome}; the platform cannot end one, so a ticket that leaked signs pages until its end, at most 2 h from its issue`,
      ),
      ...(await failureWarning(deps, app)),
    ],
    next: adviceOf(app, drill),
  };
}

async function readersSince(
  table: AuditTable,
  app: App,
  since: number,
): Promise<{ readonly readers: Reader[]; readonly truncated: boolean }> {
  const readers = new Map<string, Reader>();
  let truncated = false;
  for (const action of SHOWING) {
    const complete = await eachEntry(table, { since, action, appids: [app.appid] }, row => {
      const entry = readEntry(row.entry);
      // A virtual token is no token of the platform's, and dies with the drill.
      if (entry?.outcome !== 'done' || entry.kind !== 'access-token' || entry.detail === 'virtual') return;
      const { actor = null, address = null, credential = null, times = 1 } = entry;
      const [first, last] = [moment(entry.since ?? row.at), moment(row.at)];
      const key = JSON.stringify([action, actor, address, credential]);
      const known = readers.get(key);
      if (known === undefined && readers.size >= MOST_READERS) truncated = true;
      else if (known === undefined)
        readers.set(key, { actor, address, how: action, credential, first, last, times });
      // The latest entries come first.
      else readers.set(key, { ...known, first, times: known.times + times });
    });
    truncated ||= !complete;
  }
  return { readers: [...readers.values()].toSorted((a, b) => b.last.localeCompare(a.last)), truncated };
}

async function bulkSince(table: AuditTable, since: number): Promise<NonNullable<LeakReportBody['bulk']>> {
  const found: NonNullable<LeakReportBody['bulk']> = [];
  for (const action of CARRYING) {
    const { rows } = await table.list({ since, action, limit: MOST_BULK });
    for (const row of rows)
      found.push({
        ...{ action, actor: row.actor ?? null, address: readEntry(row.entry)?.address ?? null },
        at: moment(row.at),
      });
  }
  return found;
}

/** Looks at all entries of a question, the latest first; false when there are too many. */
async function eachEntry(
  table: AuditTable,
  query: Omit<AuditQuery, 'limit' | 'cursor'>,
  act: (row: AuditRow) => void,
): Promise<boolean> {
  let cursor: AuditQuery['cursor'];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { rows, next } = await table.list({ ...query, limit: PAGE, cursor });
    for (const row of rows) act(row);
    if (next === undefined) return true;
    cursor = next;
  }
  return false;
}

/** Why entries since a time may be missing. */
async function auditWarnings(table: AuditTable, since: number): Promise<string[]> {
  const warnings: string[] = [];
  const gaps = await table.list({ since, action: 'gap', limit: 1 });
  if (gaps.rows.length > 0)
    warnings.push(
      'events were lost while the database was down ("audit list --action gap"): some readers may be missing here',
    );
  const missingUntil = await removedUntil(table, since);
  if (missingUntil !== undefined)
    warnings.push(
      `entries before ${moment(missingUntil)} were removed from the audit log by its retention: who is missing here before that may have read the token all the same`,
    );
  return warnings;
}

/** Until when entries since a time were removed by retention; undefined when none was. */
async function removedUntil(table: AuditTable, since: number): Promise<number | undefined> {
  let until: number | undefined;
  for (const anchor of await table.anchors(MOST_ANCHORS)) {
    // What was removed before that time happened before it.
    if (anchor.at <= since) continue;
    const [first] = await table.scan(anchor.chain, 1, anchor.number);
    const end = first?.at ?? anchor.at;
    if (end > since) until = Math.max(until ?? end, end);
  }
  return until;
}

async function failureWarning({ authority }: ReportDeps, app: App): Promise<string[]> {
  const { failure } = await authority.status({ app, kind: 'access-token' });
  if (failure === undefined) return [];
  const { errcode, errmsg, hint } = failure;
  return [
    `the platform gives no token at present: ${errcode ?? ''} ${errmsg}${hint === undefined ? '' : `; ${hint}`}`,
  ];
}

function adviceOf(app: App, drill: Drill | undefined): string[] {
  const { consoleUrl } = platformOf(app.platform);
  const { forced } = drillPlanOf(app);
  const wechat = app.platform.startsWith('weixin');
  return [
    `if the secret of ${app.appid} leaked too, reset it at ${consoleUrl} and put the new one into the configuration: whoever has it makes tokens at will, and this drill ends none of those to come`,
    ...(wechat
      ? [
          `look through the IP list of the account (IP白名单) at ${consoleUrl}: from an address that is not on it no token can be fetched with the secret`,
          `tokens of ${forced ? '/cgi-bin/token' : '/cgi-bin/stable_token'} are apart from those ended here: if the one that leaked is not among the tokens above, another program fetched it with the same secret; reset the secret`,
        ]
      : []),
    ...(forced
      ? []
      : [
          'the token between the two refreshes lives for 5 minutes more; it was shown only to who is listed with its fingerprint',
        ]),
    ...(drill?.keys.length
      ? [
          'give the callers whose keys were taken back new ones under "callers" in the configuration; that takes effect without restart',
        ]
      : ['if a caller key leaked, take it back: callers revoke-key CALLER']),
    'callers that read the real token can be given a stand-in instead: "tokens": "virtual"',
  ];
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
