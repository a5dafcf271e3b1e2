import { BridgeError } from '../../../base/errors.ts';
import { createSealer, type Sealer, sealedWith } from '../../../stores/sealing.ts';
import type { SealedValues } from '../../../stores/sqlite-inspection.ts';
import { type Check, type Finding, fail, ok, skipped } from '../check.ts';

/** Whether the configured keys open what is stored, and which of them are still needed. */
export const sealKey: Check = {
  name: 'seal key',
  needs: 'settings',
  async run(exam) {
    const { sealKeys } = exam.settings().storage;
    const sealer = createSealer(sealKeys);
    const ids = sealKeys.map(key => sealedWith(createSealer([key]).seal('', '')) ?? '');
    const inspection = await exam.database().then(
      opened => opened?.inspection,
      (error: unknown) => error,
    );
    if (inspection === undefined)
      return [ok('seal key', `well-formed (${ids.join(', ')}); nothing is stored that it could open yet`)];
    if (inspection instanceof Error)
      return [skipped('seal key', `well-formed (${ids.join(', ')}); what is stored cannot be read`)];
    const { sealed, unsealed } = inspection as NonNullable<
      Awaited<ReturnType<typeof exam.database>>
    >['inspection'];
    const findings = [...sealed].flatMap(([id, values]) => judge(id, values, ids, sealer));
    if (findings.length > 0) return findings;
    const counts = ids.map(id => `${id}: ${sealed.get(id)?.count ?? 0}`).join(', ');
    const idle = ids.slice(1).filter(id => !sealed.has(id));
    return [
      ok(
        'seal key',
        `opens what is stored (values by key: ${counts}${unsealed === 0 ? '' : `; not sealed: ${unsealed}`})`,
        idle.length === 0
          ? undefined
          : `nothing is sealed with ${idle.join(', ')} any more: it can be taken out`,
      ),
    ];
  },
};

function judge(
  id: string,
  { count, sample }: SealedValues,
  configured: readonly string[],
  sealer: Sealer,
): readonly Finding[] {
  if (!configured.includes(id)) {
    return [
      fail(
        'seal key',
        `values sealed with key ${id}, which is not configured: ${count}; configured: ${configured.join(', ')}`,
        `add the former key to storage.sealKey, as a list: the first seals, all open.\nIf it is lost, remove these rows: credentials are issued anew, and callers over HTTPS must trust a new CA`,
      ),
    ];
  }
  const damaged = sample.filter(({ context, text }) => !opens(sealer, text, context));
  if (damaged.length === 0) return [];
  return [
    fail(
      'seal key',
      `values that do not open with their key ${id}: ${damaged.length} of the first ${sample.length}, such as ${damaged[0]?.context}`,
      'they were damaged or moved: restore the database from a backup, or remove these rows, and they are issued anew',
    ),
  ];
}

function opens(sealer: Sealer, text: string, context: string): boolean {
  try {
    sealer.open(text, context);
    return true;
  } catch (error) {
    if (error instanceof BridgeError) return false;
    throw error;
  }
}
