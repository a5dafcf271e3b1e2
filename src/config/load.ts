import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { buildSettings } from './build.ts';
import { checkAcross } from './checks.ts';
import { runCommand } from './command.ts';
import { parseDocument } from './document.ts';
import type { ConfigFault } from './faults.ts';
import { configError, pathText, sortFaults } from './faults.ts';
import { reasonOf } from './interpolate.ts';
import { faultsOfIssues, issueMessage } from './issues.ts';
import { resolveTree } from './resolve.ts';
import { configSchema } from './schema.ts';
import { type RunCommand, readSealKeys } from './seal-keys.ts';
import type { Settings } from './settings.ts';
import { layer } from './uni-config-center/layer.ts';

/** What loading a configuration takes. */
export interface LoadOptions {
  /** The configuration file. */
  readonly path: string;
  /** The environment that `${env:NAME}` refers to; the command line passes its own. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file as UTF-8 text and throws when it cannot; the file system unless given. */
  readonly readFile?: (path: string) => string;
  /** Runs a program that prints a sealing key; waits for it unless given. */
  readonly runCommand?: RunCommand;
}

/** A configuration that can be used. */
export interface LoadedConfig {
  readonly settings: Settings;
  /** What is odd but does not stand in the way. */
  readonly warnings: readonly ConfigFault[];
  /** Absolute paths of the configuration file and of all files it refers to, found or not. */
  readonly files: readonly string[];
  /** Changes when the content of any of `files` does, or a key that a program prints. */
  readonly digest: string;
  /** Of the content of `files` alone; see `contentDigest`. */
  readonly contentDigest: string;
}

/** All that can be said of a configuration file. `settings` is there exactly when `faults` is empty. */
export interface ConfigCheck extends Omit<LoadedConfig, 'settings'> {
  readonly settings: Settings | undefined;
  readonly faults: readonly ConfigFault[];
}

/**
 * Loads a configuration. Throws BridgeError CONFIG_INVALID whose message lists every fault, one a line.
 *
 * @example
 * const { settings, warnings } = loadConfig({ path: 'open-bridge.json', env });
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { settings, faults, ...rest } = checkConfig(options);
  if (settings === undefined) throw configError(options.path, faults);
  return { settings, ...rest };
}

/** Reads and checks a configuration, reporting faults instead of throwing them. */
export function checkConfig(options: LoadOptions): ConfigCheck {
  const { path, env, readFile = readText } = options;
  const file = resolve(path);
  const folder = dirname(file);
  const { runCommand: run = command => runCommand(command, { folder, env }) } = options;
  const printed = createHash('sha256');
  const files = new Set([file]);
  const contents = new Map<string, string>();

  /** Each file is read once, so one version of it is both digested and used. */
  const readOnce = (name: string): string => {
    files.add(name);
    const text = contents.get(name) ?? readFile(name);
    contents.set(name, text);
    return text;
  };
  const finish = (
    faults: readonly ConfigFault[],
    settings?: Settings,
    warnings: readonly ConfigFault[] = [],
  ): ConfigCheck => {
    const content = contentDigest(files, name => contents.get(name));
    return {
      settings,
      faults: sortFaults(faults),
      warnings: sortFaults(warnings),
      files: [...files],
      digest: printed.update(content).digest('hex'),
      contentDigest: content,
    };
  };

  let source: string;
  try {
    source = readOnce(file);
  } catch (error) {
    const message = `cannot be read: ${reasonOf(error)}${isFolder(error) ? FOLDER_ADVICE : ''}`;
    return finish([{ path: '', line: 1, column: 1, message }]);
  }
  const document = parseDocument(source);
  // The tree of a broken text has gaps, so what a check would say of it is noise.
  if (document.syntaxFaults.length > 0 || document.root === undefined) return finish(document.syntaxFaults);

  const resolved = resolveTree(document.root, { env, folder, readFile: readOnce });
  const layered = layer({
    own: resolved.value,
    folder,
    readFile: readOnce,
    locateOwn: document.locate,
  });
  const parsed = configSchema.safeParse(layered.value, { error: issueMessage });
  const across = checkAcross(layered.value, layered.nameOf);
  const issues = parsed.success ? [] : faultsOfIssues(parsed.error.issues);
  // A value whose reference failed has that one fault; what the checks make of its absence is noise.
  const consequent = [...issues, ...across.faults].filter(
    ({ path }) => !resolved.unknown.has(pathText(path)),
  );
  const faults = [...[...resolved.faults, ...consequent].map(layered.locate), ...layered.faults];
  const warnings = [...across.warnings.map(layered.locate), ...layered.warnings];
  if (!parsed.success || faults.length > 0) return finish(faults, undefined, warnings);
  // Last, because programs are not run for a file that cannot be used anyway.
  const sealKeys = readSealKeys(parsed.data.storage.sealKey, run);
  printed.update(JSON.stringify(sealKeys.keys));
  if (sealKeys.faults.length > 0) return finish(sealKeys.faults.map(layered.locate), undefined, warnings);
  return finish([], buildSettings(parsed.data, folder, layered.scheduledOnlyFrom, sealKeys.keys), warnings);
}

/** SHA-256 in hex of files and what is in them; undefined stands for one that cannot be read. */
export function contentDigest(
  files: Iterable<string>,
  contentOf: (name: string) => string | undefined,
): string {
  const digest = createHash('sha256');
  for (const name of files) digest.update(JSON.stringify([name, contentOf(name)]));
  return digest.digest('hex');
}

/** The text of a file; throws when it cannot be read. */
export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

const FOLDER_ADVICE =
  '; to make a configuration file of a uni-config-center folder, run `open-bridge config import <folder>`';

function isFolder(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'EISDIR';
}
