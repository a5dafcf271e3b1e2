import { resolve } from 'node:path';
import type { ConfigFault, ConfigPath, PathFault } from '../faults.ts';
import { pathText } from '../faults.ts';
import { folderPathFault } from '../fields.ts';
import { readUniConfigCenter, type UniConfigCenter } from './center.ts';
import { asObject, CENTER_FILES, located, originText } from './files.ts';
import { mergeCenter } from './merge.ts';

/** Our own file with the uni-config-center folder it names under it. */
export interface Layered {
  /** In the shape of our own file, unchecked. */
  readonly value: unknown;
  /** See `Merged`. */
  readonly scheduledOnlyFrom: number;
  readonly faults: readonly ConfigFault[];
  readonly warnings: readonly ConfigFault[];
  /** Says where a setting stands, for messages. */
  nameOf(path: ConfigPath): string;
  /** Gives a fault its file, line and column. */
  locate(fault: PathFault): ConfigFault;
}

/** What the configuration file gives. */
export interface LayerOptions {
  /** The file as a plain value, unchecked. */
  readonly own: unknown;
  /** Absolute folder that relative paths start from. */
  readonly folder: string;
  readonly readFile: (path: string) => string;
  /** Gives a fault of the file its line and column. */
  readonly locateOwn: (fault: PathFault) => ConfigFault;
}

/** Reads the folder that `uniConfigCenter` names, if any, and puts it under the file. */
export function layer({ own, folder, readFile, locateOwn }: LayerOptions): Layered {
  const named = asObject(own)?.['uniConfigCenter'];
  if (typeof named !== 'string' || folderPathFault(named) !== undefined) {
    return {
      ...{ value: own, scheduledOnlyFrom: Number.POSITIVE_INFINITY, faults: [], warnings: [] },
      ...{ nameOf: pathText, locate: locateOwn },
    };
  }
  const center = readUniConfigCenter(resolve(folder, named), readFile);
  const { value, originOf, scheduledOnlyFrom } = mergeCenter(own, center);
  const missing = missingFault(center);
  const atSetting = (message: string): ConfigFault =>
    locateOwn({ path: ['uniConfigCenter'], message, at: 'value' });
  return {
    value,
    scheduledOnlyFrom,
    faults: [...(missing === undefined ? [] : [atSetting(missing)]), ...center.faults],
    warnings: [
      ...(missing === undefined && center.files.uniId === undefined && center.faults.length === 0
        ? [atSetting(`holds no ${CENTER_FILES.uniId}, so no apps come from there`)]
        : []),
      ...center.warnings,
    ],
    nameOf(path) {
      const origin = originOf(path);
      return origin === undefined ? pathText(path) : originText(origin);
    },
    locate(fault) {
      const origin = originOf(fault.path);
      return origin === undefined ? locateOwn(fault) : located(origin, fault.message);
    },
  };
}

/** Why a folder cannot be a uni-config-center; undefined when it can. */
export function missingFault({ files, faults }: UniConfigCenter): string | undefined {
  if (faults.length > 0 || Object.values(files).some(file => file !== undefined)) return undefined;
  return `there is none of ${Object.values(CENTER_FILES).join(', ')} in this folder; name the uni-config-center folder itself, such as uniCloud-aliyun/cloudfunctions/common/uni-config-center`;
}
