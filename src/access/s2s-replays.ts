/** Remembers which signatures were used, so that a recorded request cannot be sent once more. */
export interface ReplayGuard {
  /**
   * Whether this is the first use of `id`, which is remembered until `untilMs` (since the Unix epoch).
   * Of several uses at once exactly one is the first. Throws BridgeError when it cannot tell.
   */
  firstUse(id: string, untilMs: number): Promise<boolean>;
}
