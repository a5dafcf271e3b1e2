import { BridgeError } from '../base/errors.ts';

/** The refusal of an argument that cannot be used; the hint says what would be right. */
export function malformed(message: string, hint?: string): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', message, hint === undefined ? {} : { hint });
}

/** What a value is, for messages: never the value itself, which may be secret. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'undefined';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}
