import { join } from 'node:path';
import type { ConfigFault } from '../faults.ts';
import { checkConfig } from '../load.ts';
import { readUniConfigCenter } from './center.ts';
import { missingFault } from './layer.ts';
import { renderConfig } from './render.ts';

/** What became of a uni-config-center folder. */
export interface CenterImport {
  /** A configuration file of ours with all it holds; undefined when there are faults. */
  readonly text: string | undefined;
  /** What was taken, a line each, without secrets. */
  readonly taken: readonly string[];
  readonly faults: readonly ConfigFault[];
  readonly warnings: readonly ConfigFault[];
  /** What was left alone, and is no cause for worry. */
  readonly notes: readonly ConfigFault[];
}

/** Stands for the file that is yet to be written. */
const DRAFT = 'open-bridge.json';

/** Stands for the seal key that is yet to be made: 32 bytes in base64. */
const ANY_SEAL_KEY = Buffer.alloc(32).toString('base64');

/**
 * Makes a configuration file of ours of a uni-config-center folder. It is checked as the folder would be
 * under `uniConfigCenter`, so faults and warnings are those, with their places in the folder. `folder` is
 * absolute; `readFile` takes absolute paths, gives UTF-8 text and throws when it cannot.
 */
export function importUniConfigCenter(folder: string, readFile: (path: string) => string): CenterImport {
  const center = readUniConfigCenter(folder, readFile);
  const missing = missingFault(center);
  if (missing !== undefined) {
    const fault = { file: folder, path: '', line: 1, column: 1, message: missing };
    return { text: undefined, taken: [], faults: [fault], warnings: [], notes: [] };
  }
  const draft = join(folder, DRAFT);
  const own = JSON.stringify({ uniConfigCenter: '.', storage: { sealKey: ANY_SEAL_KEY } });
  const { settings, faults, warnings } = checkConfig({
    path: draft,
    env: {},
    readFile: path => (path === draft ? own : readFile(path)),
  });
  const { notes } = center;
  if (settings === undefined) return { text: undefined, taken: [], faults, warnings, notes };

  const { apps, ipWhiteList, s2s } = settings;
  const taken = [
    ...apps.map(({ name, platform, appid }) => `app ${name} (${platform}, ${appid})`),
    ...(center.schedule ?? []).map(({ dcloudAppid }) => `schedule of ${dcloudAppid}`),
    ...(center.ipWhiteList === undefined ? [] : [`ipWhiteList (${ipWhiteList.join(', ') || 'empty'})`]),
    ...(s2s === undefined ? [] : [`s2s (${s2s.type === 'sign' ? `sign, ${s2s.hashMethod}` : s2s.type})`]),
  ];
  return { text: renderConfig(center, folder), taken, faults, warnings, notes };
}
