import { inspect } from 'node:util';
import pino from 'pino';
import type { Log } from '../../src/base/log.ts';

/** A log that keeps every line as pino would write it, and as a person would inspect it. */
export interface KeptLog extends Log {
  readonly lines: readonly LogLine[];
  /** Messages logged at a level. */
  messages(level: LogLine['level']): string[];
  /** All that was logged, in every rendering we know of. */
  text(): string;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** Makes a log that keeps what it is given and also renders it with the real pino. */
export function keptLog(): KeptLog {
  const lines: LogLine[] = [];
  let written = '';
  const logger = pino(
    { level: 'debug' },
    {
      write(text: string) {
        written += text;
      },
    },
  );
  const at =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields: { ...fields }, message });
      logger[level](fields, message);
    };
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    messages: level => lines.filter(line => line.level === level).map(line => line.message),
    text: () => written + inspect(lines, { depth: 20, showHidden: true }),
  };
}

/** Everything that can be seen of a thrown error: message, stack, fields, causes, in all renderings. */
export function everythingAbout(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 10; depth += 1) {
    parts.push(String(at), inspect(at, { depth: 20, showHidden: true }), JSON.stringify(at) ?? '');
    if (at instanceof Error) {
      const own = Object.fromEntries(Object.getOwnPropertyNames(at).map(name => [name, (at as never)[name]]));
      parts.push(at.message, at.stack ?? '', JSON.stringify(own));
    }
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join('\n');
}
