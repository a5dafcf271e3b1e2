import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipUnless } from '../support/namespace.ts';
import { missingFor } from './open-database.ts';
import type { FaultOptions } from './options.ts';
import { injected, reportText } from './report.ts';
import { runFaults } from './run.ts';

/** The short form: most kinds of injections come up, most of them once. */
const SHORT: Omit<FaultOptions, 'database' | 'redis'> = {
  ...{ seed: 20_260_301, stormMs: 20_000, calmMs: 5000, everyMs: 1100, keep: false },
  ...{ nodes: 4, callers: 25, perSecond: 120, lifeSeconds: 6 },
};

const WAYS: readonly Pick<FaultOptions, 'database' | 'redis'>[] = [
  { database: 'sqlite', redis: false },
  { database: 'postgres', redis: true },
];

describe.each(WAYS)('nodes on $database (Redis: $redis) while everything around them breaks', way => {
  const missing = missingFor(way);

  it.skipIf(missing !== undefined && skipUnless(false, missing))(
    'keep every promise to their callers',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'open-bridge-fault-'));
      const report = await runFaults({ ...SHORT, ...way }, folder, () => {});
      expect(report.journal.violations, reportText(report)).toEqual([]);

      const done = injected(report.journal);
      expect(done.get('node started')).toBeGreaterThan(SHORT.nodes);
      expect(done.get('tokens revoked')).toBeGreaterThan(0);
      expect(done.size).toBeGreaterThanOrEqual(10);
      const lives = report.issues.reduce((sum, { tokens }) => sum + tokens, 0);
      expect(lives).toBeGreaterThanOrEqual(20);
      expect(report.outcomes.get('gateway: ok')).toBeGreaterThan(500);
      expect(report.outcomes.get('getAccessToken: ok')).toBeGreaterThan(100);
      expect(report.writes.acknowledged).toBeGreaterThan(50);
    },
    150_000,
  );
});
