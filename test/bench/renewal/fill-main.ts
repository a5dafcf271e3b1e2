/** Stores a token for every account, as it would be there after two hours of work. */
import { createHash } from 'node:crypto';
import { loadPart } from '../credentials/program.ts';
import { appidOf, dueOf, LIFE_MS, PLATFORM, type Schedule, tokenOf } from './accounts.ts';

/** Where to store them. */
export interface FillSettings {
  /** Folder of the compiled program. */
  readonly dist: string;
  readonly config: string;
  readonly schedule: Schedule;
}

/** SQLite takes 32 766 parameters in a statement, and a row has fourteen. */
const ROWS_AT_ONCE = 2000;

async function fill({ dist, config, schedule }: FillSettings): Promise<void> {
  const { systemClock } = await loadPart(dist, 'clock');
  const { loadConfig } = await loadPart(dist, 'config');
  const { createAppDirectory } = await loadPart(dist, 'apps');
  const { storedKeys } = await loadPart(dist, 'keys');
  const { openCredentials } = await loadPart(dist, 'open');
  const { settings } = loadConfig({ path: config, env: {} });
  const apps = createAppDirectory(settings.apps);
  const { store, close } = await openCredentials({
    storage: settings.storage,
    follows: false,
    origins: () => settings.upstream,
    clock: systemClock,
    random: Math.random,
    log: { debug() {}, info() {}, warn: console.error, error: console.error },
    instance: `bench:${process.pid}`,
  });
  const rowOf = (index: number) => {
    const app = apps.require(appidOf(index));
    const token = tokenOf(index, 0);
    const { renewAt, expiresAt } = dueOf(index, schedule);
    return {
      id: storedKeys({ app, kind: 'access-token' }, settings.storage.keyFormat).id,
      value: JSON.stringify({ access_token: token }),
      expiresAt,
      platform: PLATFORM as 'weixin-mp',
      appid: app.appid,
      kind: 'access-token' as const,
      epoch: 1,
      issuedAt: expiresAt - LIFE_MS,
      renewAt,
      background: true,
      fingerprint: createHash('sha256').update(token).digest('hex').slice(0, 16),
      previous: undefined,
    };
  };
  for (let from = 0; from < schedule.apps; from += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, schedule.apps - from);
    const written = await store.credentials.merge(
      Array.from({ length: count }, (_, each) => rowOf(from + each)),
    );
    if (written !== count) throw new Error(`${written} of ${count} rows were written`);
  }
  await close();
}

await fill(JSON.parse(process.argv[2] ?? '') as FillSettings);
