import { BridgeError, type ErrorCode } from '../base/errors.ts';
import type { App, ErrorClass } from '../platforms/platform.ts';
import type { UpstreamRefusal } from '../platforms/upstream.ts';
import { hintFor } from './failures.ts';

/** A code that was sent to us is its sender's to mend; what is not listed is ours, and nothing can be had meanwhile. */
const CODES: Readonly<Partial<Record<ErrorClass, ErrorCode>>> = {
  'one-shot': 'REQUEST_MALFORMED',
  other: 'REQUEST_MALFORMED',
  quota: 'BUDGET_EXHAUSTED',
  permission: 'CREDENTIAL_UNSUPPORTED',
};

/**
 * The error for a caller whose request the platform refused, with the platform's errcode and errmsg as they
 * are: REQUEST_MALFORMED for a bad code and whatever else lies in the request, BUDGET_EXHAUSTED for a
 * quota, CREDENTIAL_UNSUPPORTED for a permission, CREDENTIAL_UNAVAILABLE for the rest. `oneShotHint` says
 * where a new code comes from, when that is not a login.
 */
export function refusedCall(
  app: App,
  { errcode, errmsg, rule }: UpstreamRefusal,
  oneShotHint?: string,
): BridgeError {
  const hint =
    (rule.class === 'one-shot' ? oneShotHint : undefined) ??
    hintFor({ app, kind: 'access-token' }, { errcode, errmsg, rule });
  return new BridgeError(
    CODES[rule.class] ?? 'CREDENTIAL_UNAVAILABLE',
    `the platform answered ${errcode} ${errmsg} for ${app.name} (${app.appid})`,
    {
      upstream: { errcode, errmsg },
      ...(hint !== undefined && { hint }),
      ...(rule.retryAfterMs !== undefined && { retryAfterMs: rule.retryAfterMs }),
    },
  );
}
