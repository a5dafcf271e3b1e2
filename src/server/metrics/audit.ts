import type { AuditLog } from '../../access/audit-log.ts';
import { type KeptVerdict, keptVerdict } from '../../access/audit-verdict.ts';
import type { Clock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import type { SettingTable } from '../../stores/store.ts';
import type { Family } from './family.ts';

/** The store is asked for the latest verdict no more often. */
const READ_EVERY_MS = 5000;

/** What is measured of the audit log. The verdict is that of the latest `open-bridge audit verify`, on whichever node. */
export function auditFamilies(deps: {
  readonly counts: AuditLog['counts'];
  readonly settings: Pick<SettingTable, 'get'>;
  readonly clock: Clock;
}): readonly Family[] {
  const { counts, settings, clock } = deps;
  let kept: { readonly verdict: Promise<KeptVerdict | undefined>; readonly readAt: number } | undefined;

  function verdict(): Promise<KeptVerdict | undefined> {
    const now = clock.now();
    if (kept === undefined || now >= kept.readAt + READ_EVERY_MS || now < kept.readAt)
      kept = { verdict: keptVerdict(settings).catch(whileDown), readAt: now };
    return kept.verdict;
  }

  return [
    {
      name: 'open_bridge_audit_entries_total',
      help: 'Entries this process wrote to the audit log.',
      type: 'counter',
      labels: [],
      samples: () => [{ value: counts.written }],
    },
    {
      name: 'open_bridge_audit_lost_total',
      help: 'Events this process could not keep for the audit log, as the store was down for too long.',
      type: 'counter',
      labels: [],
      samples: () => [{ value: counts.lost }],
    },
    {
      name: 'open_bridge_audit_faults',
      help: 'Entries found changed or missing by the latest "open-bridge audit verify"; no series before the first.',
      type: 'gauge',
      labels: [],
      async samples() {
        const found = await verdict();
        return found === undefined ? [] : [{ value: found.faults }];
      },
    },
    {
      name: 'open_bridge_audit_verified_timestamp_seconds',
      help: 'When the audit log was last verified, in seconds since the Unix epoch.',
      type: 'gauge',
      labels: [],
      async samples() {
        const found = await verdict();
        return found === undefined ? [] : [{ value: found.at / 1000 }];
      },
    },
  ];
}

/** open_bridge_store_up tells that the store is down; the other metrics go on. */
function whileDown(error: unknown): undefined {
  if (!(error instanceof BridgeError)) throw error;
}
