import { BridgeError } from '../../../base/errors.ts';
import { type SealSample, sampleSeals } from '../../../stores/seal-sample.ts';
import { createSealer } from '../../../stores/sealing.ts';
import { checkSealKeys } from '../../../stores/sealing-keys.ts';
import { type Check, type Finding, fail, ok, skipped } from '../check.ts';

/** So many rows of a kind are tried; with a seal that is broken in one of a million, the bridge itself will say so. */
const ROWS = 1000;

/** Whether the configured keys open what is stored, and which of them are still needed. */
export const sealKey: Check = {
  name: 'seal key',
  needs: 'settings',
  async run(exam) {
    const sealer = createSealer(exam.settings().storage.sealKeys);
    const ids = sealer.keyIds();
    const wellFormed = `well-formed (${ids.join(', ')})`;
    try {
      const opened = await exam.database();
      if (opened === undefined || opened.server?.isEmpty === true)
        return [ok('seal key', `${wellFormed}; nothing is stored that it could open yet`)];
      const { refusal, remembered } = await checkSealKeys(ids, opened.texts);
      if (refusal !== undefined) return [fail('seal key', refusal.message, refusal.hint)];
      const sample = await sampleSeals(opened.texts, sealer, ids, ROWS);
      const faults = [...missing(ids, sample), ...damages(sample)];
      return faults.length > 0 ? faults : [inOrder(ids, sample, remembered)];
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      return [skipped('seal key', `${wellFormed}; what is stored cannot be read`)];
    }
  },
};

/** Keys that the settings do not remember, as something else than a bridge wrote the rows. */
function missing(configured: readonly string[], sample: SealSample): readonly Finding[] {
  return [...sample.keys]
    .filter(([id]) => !configured.includes(id))
    .map(([id, { count }]) =>
      fail(
        'seal key',
        `values sealed with key ${id}, which is not configured: ${count} in ${extent(sample)}; configured: ${configured.join(', ')}`,
        'add the former key to storage.sealKey, as a list: the first seals, all open.\nIf it is lost, remove these rows with: open-bridge keys forget',
      ),
    );
}

function damages(sample: SealSample): readonly Finding[] {
  return [...sample.keys]
    .filter(([, { damaged }]) => damaged > 0)
    .map(([id, { damaged, count, examples }]) =>
      fail(
        'seal key',
        `values that do not open with their key ${id}: ${damaged} of ${count} in ${extent(sample)}, such as ${examples.join(', ')}`,
        'they were damaged or moved: restore the database from a backup, or remove these rows, and they are issued anew',
      ),
    );
}

function inOrder(
  configured: readonly string[],
  sample: SealSample,
  remembered: ReadonlySet<string>,
): Finding {
  const { keys, unsealed, isComplete } = sample;
  const counts = configured.map(id => `${id}: ${keys.get(id)?.count ?? 0}`).join(', ');
  // Beyond the sample only what the settings remember tells that a key is needed no more.
  const idle = configured
    .slice(1)
    .filter(id => !keys.has(id) && (isComplete || (remembered.size > 0 && !remembered.has(id))));
  return ok(
    'seal key',
    `opens ${extent(sample)} (values by key: ${counts}${unsealed === 0 ? '' : `; not sealed: ${unsealed}`})`,
    idle.length === 0 ? undefined : `nothing is sealed with ${idle.join(', ')} any more: it can be taken out`,
  );
}

/** What was looked at. */
function extent({ rows, isComplete }: SealSample): string {
  return isComplete ? `all ${rows} rows` : `the ${rows} rows looked at, the first ${ROWS} of each table`;
}
