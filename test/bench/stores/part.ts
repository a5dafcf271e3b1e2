import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createAttempt, type PartReport, type PartSetup } from '../part.ts';
import { run } from '../processes.ts';
import { addReads, createReadFigures, type Origins, placeOf, readsOf } from './figures.ts';
import type { ReadResult, ReadSettings } from './reads-main.ts';
import { readReportData, readReportText } from './report.ts';
import { isBridge, STORE_SUBJECTS } from './subjects.ts';
import { openWorld, type Place } from './world.ts';

const SETTLE_MS = 1500;

/** Measures reads through one bridge on each store, beside reads of the stores themselves. */
export async function measureStores(setup: PartSetup): Promise<PartReport> {
  const { options, directory, processes, main, cores, say } = setup;
  const { only, seconds, rate, connections: lanes, users } = options;
  const startedAt = performance.now();
  const subjects = STORE_SUBJECTS.filter(({ name }) => only?.has(name) ?? true);
  if (subjects.length === 0) throw new TypeError('--only names nothing of the stores part');
  const about = subjects.map(({ name, about: text, absent }) => ({ name, about: text, absent: absent() }));
  const names = about.filter(({ absent }) => absent === undefined).map(({ name }) => name);
  const figures = createReadFigures();
  const faults: string[] = [];
  const attempt = createAttempt(faults, say);

  say(`storing ${users} session keys in each store`);
  let places: readonly Place[] = [];
  await attempt('start', async () => {
    const own = join(directory, 'stores');
    mkdirSync(own);
    const dist = dirname(dirname(main));
    places = await openWorld({ processes, directory: own, dist, main, users, cores, names });
  });
  await delay(SETTLE_MS);
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`stores, round ${round} of ${options.rounds}`);
    for (const each of places) {
      for (const read of readsOf(each.name)) {
        const place = placeOf(each.name, read);
        await attempt(place, async () => {
          // A yardstick is what a program would do itself, so it has the core that a bridge would have.
          const core = isBridge(each.name) ? cores.load : cores.peer;
          const perform = async (phase: ReadSettings['phase']): Promise<ReadResult> => {
            const settings: ReadSettings = {
              source: each.sourceOf(read),
              phase,
              users,
              lanes,
              seconds,
              rate,
            };
            const args = [join(import.meta.dirname, 'reads-main.ts'), JSON.stringify(settings)];
            return JSON.parse(await run(process.execPath, args, core)) as ReadResult;
          };
          await perform('warm-up');
          const before = await each.origins();
          const result = await perform('measure');
          const after = await each.origins();
          const origins = before && after && since(before, after);
          addReads(figures, place, result, { rssMib: each.rssMib(), ...(origins && { origins }) });
        });
      }
    }
  }
  const input = {
    rounds: options.rounds,
    seconds,
    rate,
    lanes,
    users,
    figures,
    about,
    measured: places.map(({ name }) => name),
    pinned: cores.peer !== undefined,
    faults,
    tookSeconds: (performance.now() - startedAt) / 1000,
  };
  return { text: readReportText(input), data: readReportData(input) };
}

function since(before: Origins, after: Origins): Origins {
  const difference = (end: number | undefined, begin: number | undefined): number | undefined =>
    end === undefined || begin === undefined ? undefined : end - begin;
  return {
    redis: difference(after.redis, before.redis),
    database: difference(after.database, before.database),
    skipped: difference(after.skipped, before.skipped),
  };
}
