import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createAttempt, type PartReport, type PartSetup } from '../part.ts';
import { redisAbsent } from '../servers/redis.ts';
import { addMeasured, createStoredFigures, placeOf } from './figures.ts';
import { storedReportData, storedReportText } from './report.ts';
import { type StoredSet, startStoredSet } from './stored-set.ts';
import { SUBJECTS } from './subjects.ts';
import { judgeGrowth } from './targets.ts';

/** Operations under way at once when several are. */
const LANES = 16;

const SETTLE_MS = 1500;

/** Room for one row in the database, with what is written again while it is measured. */
const BYTES_A_ROW = 800;

/** Room for everything else: log, write-ahead logs, the built program. */
const BYTES_BESIDE = 500 * 2 ** 20;

/** Measures stored session keys, in a bridge and beside Redis. */
export async function measureCredentials(setup: PartSetup): Promise<PartReport> {
  const { options, directory, processes, main, cores, say } = setup;
  const { only, seconds } = options;
  const startedAt = performance.now();
  const rows = [...new Set(options.rows)].sort((a, b) => a - b);
  requireRoom(directory, rows);
  const absent = redisAbsent();
  const subjects = SUBJECTS.filter(({ name }) => only?.has(name) ?? true);
  if (subjects.length === 0) throw new TypeError('--only names nothing of the credentials part');
  const present = subjects.filter(({ redis }) => !redis || absent === undefined);
  const dist = dirname(dirname(main));
  const faults: string[] = [];
  const attempt = createAttempt(faults, say);

  const sets: StoredSet[] = [];
  for (const count of rows) {
    say(`storing ${count} session keys`);
    const withRedis = present.some(({ redis }) => redis);
    await attempt(`${count} rows`, async () => {
      sets.push(
        await startStoredSet({ processes, directory, dist, main, rows: count, withRedis, core: cores.peer }),
      );
    });
  }
  await delay(SETTLE_MS);

  const figures = createStoredFigures();
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`stored credentials, round ${round} of ${options.rounds}`);
    for (const { name, measure } of present) {
      for (const set of sets) {
        const place = placeOf(name, set.rows);
        await attempt(place, async () => {
          addMeasured(figures, place, await measure({ set, dist, lanes: LANES, seconds, cores }));
        });
      }
    }
  }

  const input = {
    rounds: options.rounds,
    seconds,
    lanes: LANES,
    figures,
    rows: sets.map(set => set.rows),
    measured: present.map(({ name }) => name),
    about: subjects.map(({ name, about, redis }) => ({ name, about, absent: redis ? absent : undefined })),
    filled: sets.map(({ filled }) => filled),
    pinned: cores.peer !== undefined,
    verdicts: judgeGrowth(figures, rows),
    faults,
    tookSeconds: (performance.now() - startedAt) / 1000,
  };
  return { text: storedReportText(input), data: storedReportData(input) };
}

/** Throws when the rows would not fit on the disk. */
function requireRoom(directory: string, rows: readonly number[]): void {
  const { bavail, bsize } = statfsSync(directory);
  const free = bavail * bsize;
  const needed = BYTES_BESIDE + rows.reduce((sum, count) => sum + count * BYTES_A_ROW, 0);
  if (free >= needed) return;
  const inGib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  throw new Error(
    `${rows.join(', ')} rows take up to ${inGib(needed)} GiB and ${directory} has ${inGib(free)} GiB free: name another place with TMPDIR, or fewer rows with --rows`,
  );
}
