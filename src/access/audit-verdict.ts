import type { SettingTable } from '../stores/store.ts';

const SETTING = 'audit-verified';

/** What came of the latest check of the whole audit log. */
export interface KeptVerdict {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly faults: number;
}

/** Keeps a verdict for all nodes. */
export async function keepVerdict(settings: SettingTable, verdict: KeptVerdict): Promise<void> {
  await settings.put(SETTING, JSON.stringify(verdict));
}

/** The verdict kept last; undefined when there is none. */
export async function keptVerdict(settings: Pick<SettingTable, 'get'>): Promise<KeptVerdict | undefined> {
  const text = await settings.get(SETTING);
  return text === undefined ? undefined : (JSON.parse(text) as KeptVerdict);
}
