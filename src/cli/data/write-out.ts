import type { CliContext } from '../context.ts';
import { type Output, openOutputFile } from './output.ts';

const STANDARD_OUTPUT = '-';

/** Where a command writes to. */
export interface Destination {
  /** How messages name it. */
  readonly name: string;
  /** Prints what the command says of itself: elsewhere, when standard output is taken. */
  readonly told: CliContext;
  /** Opens it for as long as `work` writes. Of what is not finished, nothing is left. */
  open<T>(work: (write: Output['write']) => Promise<T>): Promise<T>;
}

/** A file as `openOutputFile` has it, or standard output for `-`. */
export function destinationOf(context: CliContext, out: string, force: boolean): Destination {
  const toStandardOutput = out === STANDARD_OUTPUT;
  return {
    name: toStandardOutput ? 'standard output' : out,
    told: toStandardOutput ? { ...context, out: text => void context.err(text) } : context,
    async open(work) {
      let output: Output | undefined;
      if (!toStandardOutput) discardOnSignal(context, () => output);
      output = toStandardOutput ? standardOutput(context) : openOutputFile(out, force);
      try {
        const result = await work(output.write);
        await output.finish();
        return result;
      } catch (error) {
        await output.discard();
        throw error;
      }
    },
  };
}

function standardOutput(context: CliContext): Output {
  return {
    async write(lines) {
      await context.out(lines);
    },
    async finish() {},
    async discard() {},
  };
}

/** Half an output is worth nothing, and may be secret. */
function discardOnSignal(context: CliContext, output: () => Output | undefined): void {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    context.onSignal(signal, () => {
      void output()?.discard();
      context.exit(status);
    });
  }
}
