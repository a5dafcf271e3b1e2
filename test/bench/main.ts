/** Measures the program beside others, on this machine and in one run. `npm run bench -- --help` */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { buildGateway } from './build.ts';
import { measureCredentials } from './credentials/part.ts';
import { measureGateway } from './gateway-part.ts';
import { describeMachine, machineText, splitCores } from './machine.ts';
import { type BenchOptions, readOptions } from './options.ts';
import type { PartReport } from './part.ts';
import { createProcesses, type Processes } from './processes.ts';
import { measureRenewal } from './renewal/part.ts';
import { measureStores } from './stores/part.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const DEFAULT_OUT = join(import.meta.dirname, 'results', 'latest.json');

async function bench(options: BenchOptions, directory: string, processes: Processes): Promise<void> {
  const startedAt = performance.now();
  const say = (text: string): void =>
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(0)} s: ${text}`);
  say('building');
  const main = await buildGateway(REPOSITORY, join(directory, 'build'));
  const machine = await describeMachine();
  const setup = { options, directory, processes, main, cores: splitCores(), say };
  const measure = { credentials: measureCredentials, stores: measureStores, renewal: measureRenewal };
  const gateway = options.parts.includes('gateway') ? await measureGateway(setup) : undefined;
  const others = new Map<keyof typeof measure, PartReport>();
  for (const part of options.parts) {
    if (part === 'gateway') continue;
    // What the part before left running would cost this one memory and time.
    await processes.stopAll();
    others.set(part, await measure[part](setup));
  }

  const { only, against, out, ...plain } = options;
  const data = {
    at: new Date().toISOString(),
    machine,
    options: plain,
    ...gateway?.data,
    ...Object.fromEntries([...others].map(([part, { data }]) => [part, data])),
  };
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify(data, null, 2)}\n`);
  const texts = [gateway, ...others.values()].flatMap(report => report?.text ?? []);
  console.log([machineText(machine), ...texts].join('\n\n'));
  say(`figures written to ${out}`);
}

const options = readOptions(process.argv.slice(2), DEFAULT_OUT);
if (typeof options === 'string') {
  console.log(options);
} else {
  const directory = mkdtempSync(join(tmpdir(), 'open-bridge-bench-'));
  // nginx started by root reads as another user.
  chmodSync(directory, 0o755);
  const processes = createProcesses();
  const clean = async (): Promise<void> => {
    await processes.stopAll();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(1)));
  }
  try {
    await bench(options, directory, processes);
  } finally {
    await clean();
  }
}
