/** What a command may use of the outside world. */
export interface CliContext {
  readonly version: string;
  /** Names this process: `host:pid`. */
  readonly instance: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tmpDir: string;
  /** User id of this process; undefined on systems without. */
  readonly uid: number | undefined;
  /** Prints a line for the user. Whoever prints much waits until it was taken. */
  readonly out: (text: string) => Promise<void> | undefined;
  /** Prints a line of trouble. */
  readonly err: (text: string) => void;
  readonly onSignal: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', act: () => void) => void;
  readonly exit: (code: number) => void;
}

/** Prints a result: as JSON for scripts, or as lines for people. Wait for it before exiting: it may be long. */
export function print(
  context: CliContext,
  asJson: boolean | undefined,
  value: unknown,
  lines: () => string[],
): Promise<void> | undefined {
  return context.out(asJson ? JSON.stringify(value) : lines().join('\n'));
}
