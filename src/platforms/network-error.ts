import { BridgeError } from '../base/errors.ts';

/** Codes by which Node and undici say that time ran out rather than that the way was barred. */
const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
  'ABORT_ERR',
]);

/** The machine-readable code of a network error, looking through wrappers. */
export function networkErrorCode(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string' && code !== '') return code;
  }
  return error instanceof Error ? error.name : 'unknown';
}

/**
 * A network failure as a BridgeError. The original is left out on purpose: its message or options may
 * hold the request's URL, and the URL holds a secret or a token.
 */
export function describeNetworkError(error: unknown, host: string, signal?: AbortSignal): BridgeError {
  if (signal?.reason instanceof BridgeError) return signal.reason;
  const code = networkErrorCode(error);
  const timedOut = TIMEOUT_CODES.has(code) || signal?.aborted === true;
  return new BridgeError(
    timedOut ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_UNREACHABLE',
    `${host} ${timedOut ? 'did not answer in time' : 'could not be reached'} (${code})`,
    { hint: `check the network between this machine and ${host}` },
  );
}
