import { join } from 'node:path';
import { getNodeValue } from 'jsonc-parser';
import { type ConfigDocument, parseDocument } from '../document.ts';
import type { ConfigFault, ConfigPath } from '../faults.ts';
import { pathText } from '../faults.ts';
import { reasonOf } from '../interpolate.ts';

/** The files of a uni-config-center folder that concern us. */
export const CENTER_FILES = {
  uniId: 'uni-id/config.json',
  uniOpenBridge: 'uni-open-bridge/config.json',
  uniCloudS2s: 'uni-cloud-s2s/config.json',
} as const;

/** One of these files, read and parsed. */
export interface CenterFile {
  /** Within the folder, as above. */
  readonly name: string;
  /** Absolute, for messages. */
  readonly path: string;
  readonly document: ConfigDocument;
  /** Its content, with comments and trailing commas tolerated. */
  readonly value: unknown;
}

/** A place in such a file. */
export interface Origin {
  readonly file: CenterFile;
  readonly path: ConfigPath;
}

/** What is found on the way. Each is placed in the file it is about. */
export interface Findings {
  readonly faults: ConfigFault[];
  readonly warnings: ConfigFault[];
  /** What was left alone, and is no cause for worry. */
  readonly notes: ConfigFault[];
}

/** The files of a folder; those that are not there, or are no JSON, are undefined. */
export type CenterFiles = { readonly [name in keyof typeof CENTER_FILES]: CenterFile | undefined };

/**
 * Reads the files of a uni-config-center folder. A file that is not there is fine; one that cannot be read
 * or is no JSON is a fault. `readFile` takes absolute paths, gives UTF-8 text and throws when it cannot.
 */
export function readCenterFiles(
  folder: string,
  readFile: (path: string) => string,
  findings: Findings,
): CenterFiles {
  const read = (name: string): CenterFile | undefined => {
    const path = join(folder, name);
    const fault = (message: string): undefined => {
      findings.faults.push({ file: path, path: '', line: 1, column: 1, message });
    };
    let text: string;
    try {
      text = readFile(path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException | null)?.code;
      return code === 'ENOENT' ? undefined : fault(`cannot be read: ${reasonOf(error)}`);
    }
    const document = parseDocument(text);
    if (document.syntaxFaults.length > 0 || document.root === undefined) {
      findings.faults.push(...document.syntaxFaults.map(each => ({ ...each, file: path })));
      return undefined;
    }
    return { name, path, document, value: getNodeValue(document.root) };
  };
  return {
    uniId: read(CENTER_FILES.uniId),
    uniOpenBridge: read(CENTER_FILES.uniOpenBridge),
    uniCloudS2s: read(CENTER_FILES.uniCloudS2s),
  };
}

/** Gives what is said of a place its file, line and column. */
export function located({ file, path }: Origin, message: string): ConfigFault {
  return { ...file.document.locate({ path, message, at: 'value' }), file: file.path };
}

/** Names a place in a message: `uni-id/config.json: mp-weixin.oauth.weixin`. */
export function originText({ file, path }: Origin): string {
  return path.length === 0 ? file.name : `${file.name}: ${pathText(path)}`;
}

/** The place of something within a place. */
export function within({ file, path }: Origin, ...rest: ConfigPath): Origin {
  return { file, path: [...path, ...rest] };
}

/** A value as an object; undefined when it is none. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
