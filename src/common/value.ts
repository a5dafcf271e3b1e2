import type { ValueObject } from '../credentials/credentials.ts';
import { malformed, typeName } from './malformed.ts';
import type { BridgeKind } from './methods.ts';

/** The fields without which a value is of no use. */
const NEEDED: Readonly<Record<BridgeKind, readonly string[]>> = {
  'access-token': ['access_token'],
  'user-access-token': ['access_token'],
  'session-key': ['session_key'],
  'encrypt-key': ['encrypt_key', 'iv'],
  ticket: ['ticket'],
};

/** Longest value as JSON. The platform's own take a few hundred characters. */
const MOST_CHARACTERS = 32 * 1024;

/**
 * Checks a value object of a kind: a plain object that holds what the kind needs as non-empty strings;
 * further fields are kept. Gives what JSON makes of it, which is what is stored. Throws REQUEST_MALFORMED
 * without repeating any of it, as it is secret.
 */
export function checkValue(kind: BridgeKind, value: unknown, name = 'value'): ValueObject {
  const fields = NEEDED[kind];
  const example = `give {${fields.map(field => `"${field}": "…"`).join(', ')}}`;
  if (value === undefined) throw malformed(`${name} is missing`, example);
  if (!isPlainObject(value))
    throw malformed(`${name} must be a plain object, not ${typeName(value)}`, example);
  const written = asJson(value, name, example);
  for (const field of fields) {
    const held = Object.hasOwn(written, field) ? written[field] : undefined;
    if (held === undefined) throw malformed(`${name}.${field} is missing`, example);
    if (typeof held !== 'string')
      throw malformed(`${name}.${field} must be a string, not ${typeName(held)}`, example);
    if (held === '') throw malformed(`${name}.${field} is empty`, example);
  }
  return written;
}

/** Objects of other realms (`vm`) count too, so the prototype is judged by having none itself. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function asJson(value: object, name: string, example: string): ValueObject {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // Circles and big integers; the error's own text would show parts of the value.
  }
  const written: unknown = text === undefined ? undefined : JSON.parse(text);
  if (text === undefined || !isPlainObject(written))
    throw malformed(`${name} cannot be written as JSON`, example);
  if (text.length > MOST_CHARACTERS)
    throw malformed(
      `${name} is longer than ${MOST_CHARACTERS} characters as JSON`,
      'keep what is not a credential elsewhere',
    );
  return written as ValueObject;
}
