import type { ErrorClass, ErrorRule } from './platform.ts';

/** How long an address or configuration refusal keeps us from asking again: long enough not to hammer, short enough to heal unattended. */
export const STOP_RETRY_MS = 60_000;

/** Refusals of class `configuration` that WeChat and QQ number alike. */
export const REFUSED_ALIKE: Readonly<Record<40_002 | 40_013, Omit<ErrorRule, 'class'>>> = {
  40002: {
    hint: 'the grant_type was refused; this is a fault of this program',
    retryAfterMs: STOP_RETRY_MS,
  },
  40013: {
    hint: 'check the appid {appid} and its platform in the configuration',
    retryAfterMs: STOP_RETRY_MS,
  },
};

const OTHER: ErrorRule = { class: 'other' };

/** Turns a class with its errcodes into rows of a table. */
export function rows(
  errorClass: ErrorClass,
  hints: Readonly<Record<number, Omit<ErrorRule, 'class'>>>,
): readonly (readonly [number, ErrorRule])[] {
  return Object.entries(hints).map(([code, rest]) => [Number(code), { class: errorClass, ...rest }]);
}

/** Makes the look-up of a platform's table. Errcodes that are not in it are `other` and pass on as they are. */
export function errorRules(table: readonly (readonly [number, ErrorRule])[]): (errcode: number) => ErrorRule {
  const rules = new Map(table);
  return errcode => rules.get(errcode) ?? OTHER;
}
