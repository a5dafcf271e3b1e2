import { InvalidArgumentError } from 'commander';

/** How many, as an option of a command: from 1 to 999 999. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('must be a number from 1 on.');
  return Number(text);
}

/** A time as people write it, in the form the API takes. */
export function instant(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError('must be a time such as 2026-03-01T04:00.');
  return at.toISOString();
}
