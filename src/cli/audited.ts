import { randomBytes } from 'node:crypto';
import type { AuditEvent } from '../access/audit.ts';
import { createAuditLog } from '../access/audit-log.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { AUDIT } from '../config/audit.ts';
import type { Store } from '../stores/store.ts';
import type { CliContext } from './context.ts';

/** Puts what a command does with a database of its own accord into the audit log. Throws STORE_UNAVAILABLE. */
export async function recordCommand(
  { instance, version }: CliContext,
  store: Pick<Store, 'audit'>,
  event: Omit<AuditEvent, 'actor'>,
): Promise<void> {
  const audit = createAuditLog({
    table: store.audit,
    node: instance,
    version: `open-bridge ${version}`,
    retention: () => AUDIT,
    clock: systemClock,
    randomHex: bytes => randomBytes(bytes).toString('hex'),
    log: silentLog,
  });
  try {
    await audit.record({ ...event, actor: 'command line' });
  } finally {
    await audit.close();
  }
}
