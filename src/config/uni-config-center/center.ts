import { type CenterFile, type CenterFiles, type Findings, readCenterFiles } from './files.ts';
import { s2sOfUniCloud } from './uni-cloud-s2s.ts';
import { appsOfUniId, type CenterApp } from './uni-id.ts';
import { readUniOpenBridge, type UniOpenBridgeFile } from './uni-open-bridge.ts';

/** What a uni-config-center folder says, in the words of our own configuration. */
export interface UniConfigCenter extends UniOpenBridgeFile, Findings {
  readonly files: CenterFiles;
  readonly apps: readonly CenterApp[];
  /** Unchecked, and with the file it comes from. */
  readonly s2s: { readonly value: Readonly<Record<string, unknown>>; readonly file: CenterFile } | undefined;
}

/**
 * Reads a uni-config-center folder as uniCloud would. Faults, warnings and notes are collected, never
 * thrown. `readFile` takes absolute paths, gives UTF-8 text and throws when it cannot.
 */
export function readUniConfigCenter(folder: string, readFile: (path: string) => string): UniConfigCenter {
  const findings: Findings = { faults: [], warnings: [], notes: [] };
  const files = readCenterFiles(folder, readFile, findings);
  const { uniId, uniOpenBridge, uniCloudS2s } = files;
  const apps = uniId === undefined ? [] : appsOfUniId(uniId, findings);
  const bridge =
    uniOpenBridge === undefined
      ? { schedule: undefined, ipWhiteList: undefined }
      : readUniOpenBridge(uniOpenBridge, findings);
  const s2s = uniCloudS2s && s2sOfUniCloud(uniCloudS2s, findings);
  return {
    files,
    apps: withScheduledIds(apps, bridge),
    ...bridge,
    s2s: uniCloudS2s && s2s && { value: s2s, file: uniCloudS2s },
    ...findings,
  };
}

/** An entry without a dcloudAppid counts for any, so it is the one that the schedule speaks of. */
function withScheduledIds(
  apps: readonly CenterApp[],
  { schedule = [] }: UniOpenBridgeFile,
): readonly CenterApp[] {
  const named = new Set(apps.flatMap(app => app.dcloudAppids));
  const others = schedule.map(({ dcloudAppid }) => dcloudAppid).filter(id => !named.has(id));
  return apps.map(app =>
    app.dcloudAppids.length === 1 && app.dcloudAppids[0] === '*'
      ? { ...app, dcloudAppids: [...others, '*'] }
      : app,
  );
}
