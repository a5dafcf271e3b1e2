import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Log } from '../base/log.ts';

/** What the library takes of the process it is used in. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Names this process among those that share a database. */
  readonly instance: string;
  /** Name and version of this library. */
  readonly version: string;
  /** Hands on what the operator of the program should know and no caller is told. */
  readonly log: Log;
  readonly isFile: (path: string) => boolean;
}

/**
 * The environment of this process. The library has no command line above it that could hand these on, so
 * this file is where it looks for itself.
 */
export function processEnvironment(): Environment {
  return {
    variables: process.env,
    instance: `${hostname()}:${process.pid}`,
    get version() {
      return `open-bridge/common ${packageVersion()}`;
    },
    log: warningLog((text, code) => process.emitWarning(text, { type: 'OpenBridgeWarning', code })),
    isFile: existsSync,
  };
}

/** A log that gives warnings and errors to Node.js, which prints them; a program may listen to `warning` instead. */
function warningLog(warn: (text: string, code: string) => void): Log {
  const tell =
    (code: string) =>
    (fields: object, message: string): void => {
      const { err } = fields as { readonly err?: unknown };
      warn(err instanceof Error ? `${message}: ${err.message}` : message, code);
    };
  return {
    debug() {},
    info() {},
    warn: tell('OPEN_BRIDGE_WARNING'),
    error: tell('OPEN_BRIDGE_ERROR'),
  };
}

/** Of a library that was bundled into a program no version is known. */
function packageVersion(): string {
  try {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    return (JSON.parse(text) as { readonly version: string }).version;
  } catch {
    return 'of unknown version';
  }
}
