/** An option or a control request that cannot be used. The message names the option. */
export class OptionError extends TypeError {
  constructor(message: string) {
    super(message);
    this.name = 'OptionError';
  }
}

export type Fields = Record<string, unknown>;

interface NumberRange {
  min?: number;
  max?: number;
  integer?: boolean;
}

/** Checks that `value` is an object with no other keys than `known`. */
export function fieldsOf(value: unknown, name: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError(`${name} must be an object`);
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new OptionError(`${name} has no option "${key}"; it may have ${known.join(', ')}`);
    }
  }
  return value as Fields;
}

/** A non-empty string. */
export function textOf(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw new OptionError(`${name} must be a non-empty string`);
  return value;
}

/** Any string, empty ones too. */
export function stringOf(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new OptionError(`${name} must be a string`);
  return value;
}

/** A finite number in a range. */
export function numberOf(value: unknown, name: string, range: NumberRange = {}): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false } = range;
  const fits = typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max;
  if (!fits || (integer && !Number.isInteger(value))) {
    const kind = integer ? 'a whole number' : 'a number';
    const low = min === Number.NEGATIVE_INFINITY ? '' : ` from ${min}`;
    const high = max === Number.POSITIVE_INFINITY ? '' : ` up to ${max}`;
    throw new OptionError(`${name} must be ${kind}${low}${high}`);
  }
  return value;
}

export function flagOf(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new OptionError(`${name} must be true or false`);
  return value;
}

export function listOf(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw new OptionError(`${name} must be a list`);
  return value;
}

/** One of some given values. */
export function oneOf<T extends string | number | boolean>(
  value: unknown,
  name: string,
  choices: readonly T[],
): T {
  const found = choices.find(choice => choice === value);
  if (found === undefined) throw new OptionError(`${name} must be one of ${choices.join(', ')}`);
  return found;
}

/** Applies `read` unless the value is absent. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}
