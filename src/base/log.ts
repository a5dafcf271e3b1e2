/** The part of a pino logger that the program uses: an object of fields, then a message. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A log that keeps nothing, for tests and for library use without a logger. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
