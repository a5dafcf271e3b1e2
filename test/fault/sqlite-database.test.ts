import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { createDice } from './dice.ts';
import type { World } from './injection.ts';
import { createJournal } from './journal.ts';
import { openSqliteDatabase } from './sqlite-database.ts';

test('a file that somebody has locked already, as a stopped node may, is passed over', async () => {
  const folder = temporaryFolder();
  const holder = new DatabaseSync(join(folder, 'open-bridge.db'));
  onTestFinished(() => holder.close());
  holder.exec('begin immediate');
  const journal = createJournal(systemClock, () => {});
  const database = openSqliteDatabase(folder);
  await database.injections['database locked']?.({ journal, clock: systemClock } as World, createDice(1));
  expect(journal.entries.map(({ what }) => what)).toEqual(['passed over']);
});
