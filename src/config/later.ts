/**
 * Settings whose names are fixed but which do nothing yet. Taking them in silence would let an operator
 * believe in a protection that is not there, so each is a fault of its own instead of an unknown key.
 */
export const LATER_SETTINGS: ReadonlySet<string> = new Set(['listen.ingress']);

/** The fault of a setting of the table above. */
export const LATER_MESSAGE = 'not available in this version';
