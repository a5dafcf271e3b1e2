import type { AuditRetention } from '../access/audit-log.ts';

/** How long the audit log is kept: somewhat more than a year, so that one year can be looked back upon whole. */
export const AUDIT: AuditRetention = { maxAgeDays: 400, maxEntries: 10_000_000 };
