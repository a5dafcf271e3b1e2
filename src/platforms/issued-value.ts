import { Secret } from '../base/secret.ts';
import { lifeIn, optionalTextIn, textIn } from './answer-fields.ts';
import type { IssuePlan } from './platform.ts';

/** What the pages of all app-level credentials give when they leave `expires_in` out. */
const DEFAULT_LIFE_SECONDS = 7200;

/**
 * Reads `{[field]: value, expires_in}`, and stores it as uni-open-bridge does: `{[field]: value}`.
 */
export function issuedValue(field: string): Pick<IssuePlan, 'read' | 'toStored' | 'fromStored'> {
  return {
    read: answer => ({
      value: new Secret(textIn(answer, field)),
      lifeMs: lifeIn(answer, DEFAULT_LIFE_SECONDS),
    }),
    toStored: value => ({ [field]: value }),
    fromStored: object => optionalTextIn(object, field),
  };
}
