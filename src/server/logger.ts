import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { BridgeError } from '../base/errors.ts';

/** How much of a chain of causes is logged. */
const DEEPEST_CAUSE = 4;

/**
 * A pino logger. Errors are reduced to code, message, stack and causes, so that nothing a library hung
 * on an error object (request options, URLs) reaches the log.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: undefined,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: (error: unknown) => describeError(error, DEEPEST_CAUSE) },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

function describeError(error: unknown, depth: number): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    message: error.message,
    ...(error instanceof BridgeError ? { hint: error.hint } : { stack: error.stack }),
    ...(error.cause !== undefined && depth > 0 && { cause: describeError(error.cause, depth - 1) }),
  };
}
