/** What is kept of the calls. */
export interface CallLogSettings {
  /** Whether each call is kept. Usage is counted either way. */
  readonly enabled: boolean;
  readonly maxAgeDays: number;
  readonly maxCalls: number;
}

/** The platform looks a call up by its rid for 7 days, so ours need not be kept longer. */
export const CALL_LOG: CallLogSettings = { enabled: true, maxAgeDays: 7, maxCalls: 1_000_000 };
