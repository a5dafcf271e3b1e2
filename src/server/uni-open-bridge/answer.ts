import type { BridgeError } from '../../base/errors.ts';
import { type ToldError, tell } from '../../common/errors.ts';

/** How failures are answered; see `uniOpenBridge.errors`. */
export type ErrorStyle = 'http' | 'uniCloud';

/** What set, remove and update answer. */
export const DONE = { errCode: 0, errMsg: '' } as const;

/** uniCloud's envelope of what a cloud object threw; it comes with HTTP status 200. */
interface UniCloudFailure {
  readonly success: false;
  readonly error: { readonly code: 'FunctionBizError'; readonly message: string };
}

/** A failure as it goes over the wire. */
export function failureOf(
  error: BridgeError,
  style: ErrorStyle,
): { readonly status: number; readonly body: ToldError | UniCloudFailure } {
  const told = tell(error);
  if (style === 'http') return { status: error.traits.status, body: told };
  const message = `${told.errCode}:${told.errMsg}`;
  return { status: 200, body: { success: false, error: { code: 'FunctionBizError', message } } };
}
