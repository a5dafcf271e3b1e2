import { BridgeError } from '../base/errors.ts';

/** A JSON answer of a platform. */
type Answer = Readonly<Record<string, unknown>>;

const SECOND = 1000;

/** Something that calls itself the platform left out what its page promises. */
export function incompleteAnswer(field: string): BridgeError {
  return new BridgeError('UPSTREAM_UNREACHABLE', `the platform's answer has no ${field}`, {
    hint: 'check "upstream" in the configuration: something other than the platform may have answered',
  });
}

/** A field that must be a text with something in it; throws BridgeError UPSTREAM_UNREACHABLE otherwise. */
export function textIn(answer: Answer, field: string): string {
  const text = optionalTextIn(answer, field);
  if (text === undefined) throw incompleteAnswer(field);
  return text;
}

/** A field that may be a text; undefined when it is none, or empty. */
export function optionalTextIn(answer: Answer, field: string): string | undefined {
  const value = answer[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `expires_in` in milliseconds. Some pages send it as text; a missing or senseless one means `defaultSeconds`. */
export function lifeIn(answer: Answer, defaultSeconds: number): number {
  const seconds = Number(answer['expires_in'] ?? defaultSeconds);
  return (Number.isFinite(seconds) && seconds > 0 ? seconds : defaultSeconds) * SECOND;
}
