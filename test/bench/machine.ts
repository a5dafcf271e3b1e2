import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { findProgram, run } from './processes.ts';

/** Which cores the two sides of a measurement run on. */
export interface Cores {
  /** The core that the peer under measurement has to itself. */
  readonly peer: number | undefined;
  /** The core that load generator and upstream share. */
  readonly load: number | undefined;
}

/** Splits two cores between the measured and the measuring; none when the machine cannot. */
export function splitCores(): Cores {
  const canPin = availableParallelism() >= 2 && findProgram('taskset') !== undefined;
  return canPin ? { peer: 0, load: 1 } : { peer: undefined, load: undefined };
}

/** What a reader of the figures must know of the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** Describes this machine and the programs measured on it. */
export async function describeMachine(): Promise<Machine> {
  const versions: Record<string, string> = { node: process.version };
  for (const [name, flag] of [
    ['nginx', '-v'],
    ['haproxy', '-v'],
    ['wrk', '-v'],
    ['redis-server', '--version'],
  ] as const) {
    const path = findProgram(name);
    if (path === undefined) continue;
    // wrk ends with 1 after printing its version, and nginx prints it as an error.
    const text = await run('sh', ['-c', `${path} ${flag} 2>&1; true`], undefined);
    const version = /\d+\.\d+\.\d+/.exec(text)?.[0];
    if (version !== undefined) versions[name] = version;
  }
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    versions,
  };
}

/** The machine in one line. */
export function machineText({ cores, cpu, memoryGib, system, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `Machine: ${cores} cores of ${cpu}, ${memoryGib} GiB, ${system}; ${programs.join(', ')}`;
}
