/** How the program stops. */
export interface ShutdownSettings {
  /** How long everything is served on after the word to stop, while it says that it is not ready; milliseconds. */
  readonly drainMs: number;
  /** Longest wait after that for calls under way, in milliseconds. */
  readonly timeoutMs: number;
}

/** Without a balancer that asks /readyz there is nothing to wait for. */
export const SHUTDOWN = { drainMs: 0 } as const satisfies Partial<ShutdownSettings>;
