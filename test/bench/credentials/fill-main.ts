/** Stores session keys, as many as wanted: in the database of a bridge, or in Redis. */
import { loadPart } from './program.ts';
import { openResp } from './resp.ts';
import { APPID, openidOf, storedKeyOf, storedValueOf } from './users.ts';

/** Where to store how many. */
export type FillSettings =
  | {
      readonly into: 'bridge';
      /** Folder of the compiled program. */
      readonly dist: string;
      readonly config: string;
      readonly rows: number;
    }
  | { readonly into: 'redis'; readonly port: number; readonly rows: number };

/** Rows written by one statement. SQLite takes 32 766 parameters, and a row has fourteen. */
const ROWS_AT_ONCE = 2000;

/** Calls `write` with the indexes of all users, some at a time. */
async function inBatches(rows: number, write: (indexes: readonly number[]) => Promise<void>): Promise<void> {
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    await write(Array.from({ length: Math.min(ROWS_AT_ONCE, rows - from) }, (_, each) => from + each));
  }
}

async function fillBridge(dist: string, path: string, rows: number): Promise<void> {
  const { systemClock } = await loadPart(dist, 'clock');
  const { loadConfig } = await loadPart(dist, 'config');
  const { createAppDirectory } = await loadPart(dist, 'apps');
  const { storedKeys } = await loadPart(dist, 'keys');
  const { openCredentials } = await loadPart(dist, 'open');
  const { settings } = loadConfig({ path, env: {} });
  const app = createAppDirectory(settings.apps).require(APPID);
  const { store, close } = await openCredentials({
    storage: settings.storage,
    follows: false,
    origins: () => settings.upstream,
    clock: systemClock,
    random: Math.random,
    log: { debug() {}, info() {}, warn: console.error, error: console.error },
    instance: `bench:${process.pid}`,
  });
  const issuedAt = systemClock.now();
  const rowOf = (index: number) => ({
    id: storedKeys({ app, kind: 'session-key', openid: openidOf(index) }, settings.storage.keyFormat).id,
    value: JSON.stringify(storedValueOf(index)),
    expiresAt: Number.POSITIVE_INFINITY,
    platform: app.platform,
    appid: app.appid,
    kind: 'session-key' as const,
    epoch: 1,
    issuedAt,
    renewAt: undefined,
    background: false,
    fingerprint: undefined,
    previous: undefined,
  });
  await inBatches(rows, async indexes => {
    const written = await store.credentials.merge(indexes.map(rowOf));
    if (written !== indexes.length) throw new Error(`${written} of ${indexes.length} rows were written`);
  });
  await close();
}

async function fillRedis(port: number, rows: number): Promise<void> {
  const redis = await openResp(port);
  await inBatches(rows, async indexes => {
    const pairs = indexes.flatMap(index => [
      storedKeyOf(openidOf(index)),
      JSON.stringify(storedValueOf(index)),
    ]);
    await redis.ask('MSET', ...pairs);
  });
  const stored = await redis.ask('DBSIZE');
  if (stored !== String(rows)) throw new Error(`Redis holds ${stored} keys and not ${rows}`);
  redis.close();
}

const settings = JSON.parse(process.argv[2] ?? '') as FillSettings;
if (settings.into === 'redis') await fillRedis(settings.port, settings.rows);
else await fillBridge(settings.dist, settings.config, settings.rows);
