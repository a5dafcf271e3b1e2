import { asBridgeError, type BridgeError, type ErrorCode } from '../base/errors.ts';
import { errorBodyOf } from '../contract/errors.ts';

/** Codes of errors that the platform has no number for. */
export const ErrorCodeType = { SYSTEM_ERROR: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR' } as const;

/** One of the codes above. */
export type ErrorCodeType = (typeof ErrorCodeType)[keyof typeof ErrorCodeType];

/** What went wrong, in the program's own words: those of the bridge, and two of whoever calls one. */
export type FailureReason = ErrorCode | 'BRIDGE_UNREACHABLE' | 'FALLBACK_INVALID';

/** An error as uni-open-bridge tells it, in the library and over HTTP. */
export interface ToldError {
  /** The platform's own errcode when it refused, otherwise `ErrorCodeType.SYSTEM_ERROR`. */
  readonly errCode: number | string;
  /** For people: what happened and what to do about it. */
  readonly errMsg: string;
}

/** What the functions throw. */
export class OpenBridgeError extends Error implements ToldError {
  override readonly name = 'OpenBridgeError';
  readonly errCode: number | string;
  /** What to switch on, such as `APP_UNKNOWN`; finer than `errCode`. */
  readonly reason: FailureReason;

  constructor({ errCode, errMsg }: ToldError, reason: FailureReason, options?: { readonly cause?: unknown }) {
    super(errMsg, options);
    this.errCode = errCode;
    this.reason = reason;
  }

  /** The same as `errCode`. */
  get code(): number | string {
    return this.errCode;
  }

  /** The same as `message`. */
  get errMsg(): string {
    return this.message;
  }
}

/** An error of the program in uni-open-bridge's form. */
export function tell(error: BridgeError): ToldError {
  return {
    errCode: error.upstream?.errcode ?? ErrorCodeType.SYSTEM_ERROR,
    errMsg: errorBodyOf(error, '').errmsg,
  };
}

/** Whatever was thrown below, as the functions throw it. */
export function asOpenBridgeError(error: unknown): OpenBridgeError {
  if (error instanceof OpenBridgeError) return error;
  const bridgeError = asBridgeError(error);
  return new OpenBridgeError(tell(bridgeError), bridgeError.code, {
    cause: bridgeError.cause ?? bridgeError,
  });
}
