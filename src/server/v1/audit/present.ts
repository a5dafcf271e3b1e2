import { readEntry } from '../../../access/audit-chain.ts';
import type { AuditEntryBody } from '../../../contract/audit.ts';
import type { AuditRow } from '../../../stores/store.ts';

/** An entry as the API shows it: what its text says, or its columns where the text was destroyed. */
export function presentEntry(row: AuditRow): AuditEntryBody {
  const { chain, number, hash } = row;
  const entry = readEntry(row.entry) ?? { ...row, node: '', outcome: 'unreadable' };
  const at = moment(row.at);
  return {
    at,
    since: entry.since === undefined ? at : moment(entry.since),
    times: entry.times ?? 1,
    ...{ chain, number, hash },
    node: entry.node,
    action: entry.action,
    outcome: entry.outcome,
    actor: entry.actor ?? null,
    address: entry.address ?? null,
    kind: entry.kind ?? null,
    app: entry.app ?? null,
    appid: entry.appid ?? null,
    user: entry.user ?? null,
    credential: entry.credential ?? null,
    detail: entry.version ?? entry.detail ?? null,
  };
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
