/** Reads a configuration file and prints what that takes, in a process that does nothing else. */
import { memoryUsage } from 'node:process';
import { loadPart } from '../credentials/program.ts';

/** What to read. */
export interface ConfigSettings {
  /** Folder of the compiled program. */
  readonly dist: string;
  readonly config: string;
}

/** What it took. */
export interface ConfigCost {
  /** Reading, parsing, checking. */
  readonly loadMs: number;
  /** Making the directory of apps. */
  readonly directoryMs: number;
  /** What stays of it, after a collection. */
  readonly heapMib: number;
  /** Most memory the process had. */
  readonly mostMib: number;
}

const MIB = 2 ** 20;

function heap(): number {
  globalThis.gc?.();
  return memoryUsage().heapUsed / MIB;
}

async function main({ dist, config }: ConfigSettings): Promise<ConfigCost> {
  const { loadConfig } = await loadPart(dist, 'config');
  const { createAppDirectory } = await loadPart(dist, 'apps');
  const before = heap();
  const begun = performance.now();
  const { settings } = loadConfig({ path: config, env: {} });
  const loaded = performance.now();
  const directory = createAppDirectory(settings.apps);
  const made = performance.now();
  const kept = heap() - before;
  if (directory.all().length !== settings.apps.length) throw new Error('apps were lost');
  return {
    loadMs: loaded - begun,
    directoryMs: made - loaded,
    heapMib: kept,
    mostMib: process.resourceUsage().maxRSS / 1024,
  };
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as ConfigSettings)));
