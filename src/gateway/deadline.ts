import { Readable } from 'node:stream';
import type { Stage } from './call.ts';
import { onAnswer } from './call.ts';
import type { Deadlines } from './deadlines.ts';

/** Ends a call that takes longer than it may, its answer's body included. */
export function deadline(deadlines: Deadlines, timeoutMs: () => number): Stage {
  return next => call => {
    deadlines.add(call, timeoutMs());
    return onAnswer(next(call), answer => {
      if (answer.body instanceof Readable) answer.body.once('close', () => deadlines.remove(call));
      else deadlines.remove(call);
      return answer;
    });
  };
}
