import type { Cores } from './machine.ts';
import type { BenchOptions } from './options.ts';
import type { Processes } from './processes.ts';

/** What a part of the benchmark is given. */
export interface PartSetup {
  readonly options: BenchOptions;
  /** An empty folder of its own, removed with the run. */
  readonly directory: string;
  readonly processes: Processes;
  /** The command line of this checkout, built. */
  readonly main: string;
  readonly cores: Cores;
  /** Tells whoever waits what is going on. */
  readonly say: (text: string) => void;
}

/** What a part has found out, as text that is also Markdown and for JSON. */
export interface PartReport {
  readonly text: string;
  readonly data: object;
}

/** Does one piece of a part; what fails is noted and told, and does not end the run. */
export type Attempt = (name: string, work: () => Promise<void>) => Promise<void>;

/** Makes the keeper of a part's failures. */
export function createAttempt(faults: string[], say: PartSetup['say']): Attempt {
  return async (name, work) => {
    try {
      await work();
    } catch (error) {
      const fault = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      faults.push(fault);
      say(fault);
    }
  };
}
