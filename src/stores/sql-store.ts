import { auditTable } from './sql/audit.ts';
import type { SqlBackend } from './sql/backend.ts';
import { budgetTable } from './sql/budgets.ts';
import { callTable } from './sql/calls.ts';
import { copyTable } from './sql/copies.ts';
import { credentialTable } from './sql/credentials.ts';
import { ephemeralTable } from './sql/ephemeral.ts';
import { failureTable } from './sql/failures.ts';
import { leaseTable } from './sql/leases.ts';
import { settingTable } from './sql/settings.ts';
import { storedTextTable } from './sql/stored-texts.ts';
import { usageTable } from './sql/usage.ts';
import type { Store } from './store.ts';

/**
 * A store over SQL, one file a table. Every decision is one conditional statement whose row count tells
 * the outcome, so it is atomic on every database without a transaction.
 */
export function createSqlStore(backend: SqlBackend): Store {
  return {
    credentials: credentialTable(backend),
    leases: leaseTable(backend),
    budgets: budgetTable(backend),
    failures: failureTable(backend),
    settings: settingTable(backend),
    ephemeral: ephemeralTable(backend),
    calls: callTable(backend),
    usage: usageTable(backend),
    audit: auditTable(backend),
    texts: storedTextTable(backend),
    copies: copyTable(backend),
    ping: () =>
      backend.read(
        async () =>
          void (await backend.db.selectFrom('open_bridge_settings').select('name').limit(1).execute()),
      ),
    close: () => backend.db.destroy(),
  };
}
