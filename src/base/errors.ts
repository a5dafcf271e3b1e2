/** What the table below says of one error code. */
export interface ErrorTraits {
  /** HTTP status our listeners answer with. */
  readonly status: number;
  /** Number shown as `errcode` and, as a string, as `error_code`. */
  readonly errcode: number;
  /** `error_type` of the gateway dialect (`SafeLinkError` and `GatewayError` are the hosted service's words). */
  readonly errorType: string;
  /** Whether the same request may succeed later without anybody changing anything. */
  readonly retryable: boolean;
}

/**
 * Every error this program makes itself. Codes without a counterpart among the platform's own numbers
 * are 990 followed by the HTTP status, a range the platform does not use.
 */
export const ERRORS = {
  REQUEST_MALFORMED: { status: 400, errcode: 990400, errorType: 'RequestError', retryable: false },
  CALLER_UNKNOWN: { status: 401, errcode: 990401, errorType: 'CallerError', retryable: false },
  /** Its configured time is over (`callers[].expires`). */
  CALLER_EXPIRED: { status: 401, errcode: 990411, errorType: 'CallerError', retryable: false },
  CALLER_FORBIDDEN: { status: 403, errcode: 85105, errorType: 'SafeLinkError', retryable: false },
  PATH_NOT_LISTED: { status: 403, errcode: 85107, errorType: 'SafeLinkError', retryable: false },
  SERVICE_OFF: { status: 403, errcode: 990403, errorType: 'GatewayError', retryable: false },
  /** A bridge that follows another holds no credentials and changes none. */
  FOLLOWER_READ_ONLY: { status: 403, errcode: 990423, errorType: 'FollowError', retryable: false },
  APP_UNKNOWN: { status: 404, errcode: 40013, errorType: 'GatewayError', retryable: false },
  NOT_FOUND: { status: 404, errcode: 990404, errorType: 'GatewayError', retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, errcode: 990405, errorType: 'RequestError', retryable: false },
  REQUEST_TIMEOUT: { status: 408, errcode: 990408, errorType: 'RequestError', retryable: true },
  /** Nothing of ours can mend it: the user's session or consent is over. */
  LOGIN_REQUIRED: { status: 409, errcode: 990409, errorType: 'CredentialError', retryable: false },
  REQUEST_TOO_LARGE: { status: 413, errcode: 990413, errorType: 'RequestError', retryable: false },
  REQUEST_HEAD_TOO_LARGE: { status: 431, errcode: 990431, errorType: 'RequestError', retryable: false },
  /** Seen in logs only: nobody is left to be told. */
  CALLER_GONE: { status: 499, errcode: 990499, errorType: 'RequestError', retryable: false },
  BUDGET_EXHAUSTED: { status: 429, errcode: 990429, errorType: 'GatewayError', retryable: true },
  RATE_LIMITED: { status: 429, errcode: 990439, errorType: 'GatewayError', retryable: true },
  INTERNAL: { status: 500, errcode: 990500, errorType: 'GatewayError', retryable: false },
  UPSTREAM_UNREACHABLE: { status: 502, errcode: 990502, errorType: 'GatewayError', retryable: true },
  RESPONSE_TOO_LARGE: { status: 502, errcode: 990512, errorType: 'GatewayError', retryable: false },
  /** The bridge that is followed does not take our key. */
  FOLLOW_REFUSED: { status: 502, errcode: 990522, errorType: 'FollowError', retryable: false },
  CREDENTIAL_UNAVAILABLE: { status: 503, errcode: 85113, errorType: 'SafeLinkError', retryable: true },
  CREDENTIAL_UNSUPPORTED: { status: 503, errcode: 990503, errorType: 'GatewayError', retryable: false },
  STORE_UNAVAILABLE: { status: 503, errcode: 990513, errorType: 'GatewayError', retryable: true },
  UPSTREAM_TIMEOUT: { status: 504, errcode: 990504, errorType: 'GatewayError', retryable: true },
  /** Bridges follow each other in a ring (RFC 5842, section 7.2). */
  FOLLOW_LOOP: { status: 508, errcode: 990508, errorType: 'FollowError', retryable: false },
  CONFIG_INVALID: { status: 500, errcode: 990500, errorType: 'ConfigError', retryable: false },
  SEAL_BROKEN: { status: 500, errcode: 990500, errorType: 'SealError', retryable: false },
} as const satisfies Record<string, ErrorTraits>;

/** Closed set of error codes; `ERRORS` tells status, number and type of each. */
export type ErrorCode = keyof typeof ERRORS;

/** What a BridgeError can carry beside its message. */
export interface BridgeErrorOptions {
  readonly cause?: unknown;
  /** What the reader should do next: a command, a setting, a console page. */
  readonly hint?: string;
  /** The platform's own verdict, kept word for word. */
  readonly upstream?: { readonly errcode: number; readonly errmsg: string };
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * The one error class of the program. `code` says what happened, `message` tells a person, `hint` says
 * how to mend it. Misuse by a programmer is a TypeError instead.
 */
export class BridgeError extends Error {
  override readonly name = 'BridgeError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly upstream: { readonly errcode: number; readonly errmsg: string } | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: BridgeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.upstream = options.upstream;
    this.retryAfterMs = options.retryAfterMs;
  }

  get traits(): ErrorTraits {
    return ERRORS[this.code];
  }

  /** The platform's errcode when it refused us, otherwise our own number. */
  get errcode(): number {
    return this.upstream?.errcode ?? this.traits.errcode;
  }
}

/** Wraps anything thrown into a BridgeError; a BridgeError passes as it is. */
export function asBridgeError(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  return new BridgeError('INTERNAL', 'internal error; the log has the details under the request id', {
    cause: error,
  });
}
