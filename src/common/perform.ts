import type { CredentialRef, CredentialValues, ValueReading } from '../credentials/credentials.ts';
import { endOf, secondsLeft } from './expires-in.ts';
import type { Detail, Operation } from './operation.ts';

/** What operations are done with. */
export interface PerformDeps {
  readonly values: CredentialValues;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

const NOTHING: Detail = { value: null, expiresIn: null, state: 'absent', reason: null };

/** Does an operation on the credential it turned out to be about; throws what the credential store throws. */
export async function perform(
  { values, now }: PerformDeps,
  ref: CredentialRef,
  { verb, value = {}, expiresIn, obtain }: Operation,
): Promise<Detail> {
  switch (verb) {
    case 'get':
      return detailOf(await values.get(ref, { obtain }), now());
    case 'set':
      await values.set(ref, value, endOf(expiresIn, now()));
      return NOTHING;
    case 'remove':
      await values.remove(ref);
      return NOTHING;
    case 'update':
      await values.update(ref);
      return NOTHING;
  }
}

function detailOf(reading: ValueReading, now: number): Detail {
  switch (reading.state) {
    case 'usable':
      return {
        value: reading.value,
        expiresIn: secondsLeft(reading.expiresAt, now),
        state: 'usable',
        reason: null,
      };
    case 'absent':
      return NOTHING;
    case 'login-required':
      return { ...NOTHING, state: 'login-required', reason: reading.reason };
  }
}
