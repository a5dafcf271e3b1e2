/**
 * Opens the store whose path or URL is the first argument, as a process of its own, and does what the
 * second argument says. Prints one line of JSON when done.
 */
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { serverKind } from '../../src/stores/database.ts';
import { openStore } from '../../src/stores/open-store.ts';

const [path = '', work = 'open', holder = 'nobody'] = process.argv.slice(2);
const kind = serverKind(path);
const store = await openStore({
  database: kind === undefined ? { kind: 'sqlite', path } : { kind, url: new Secret(path) },
  clock: systemClock,
  random: Math.random,
  log: silentLog,
});
const result: Record<string, unknown> = { opened: true };
if (work === 'race') {
  const use = { subject: 'raced', window: '2026-03-01', limit: 20, spacingMs: 0 };
  let taken = 0;
  for (let turn = 0; turn < 10; turn += 1) if (await store.budgets.take(use)) taken += 1;
  result['taken'] = taken;
  result['lease'] = await store.leases.acquire('raced', holder, 600_000);
  result['setting'] = await store.settings.putIfAbsent('raced', holder);
}
if (work === 'crash') {
  await store.settings.putIfAbsent('kept', holder);
  process.kill(process.pid, 'SIGKILL');
}
await store.close();
process.stdout.write(`${JSON.stringify(result)}\n`);
