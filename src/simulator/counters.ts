/** What one account was asked and what it answered. Plain data, safe to keep and to compare. */
export interface AccountCounters {
  /** GET /cgi-bin/token, or /api/getToken of QQ: `calls` upstream calls of any outcome, `issued` tokens minted. */
  classic: { calls: number; issued: number };
  /** POST /cgi-bin/stable_token: `issued` counts minted tokens exactly, `forced` those minted by force. */
  stable: { calls: number; issued: number; forced: number };
  ticket: { calls: number; issued: number };
  /** Calls by path, of any outcome. Unknown paths share one entry, `(unknown)`. */
  calls: Record<string, number>;
  /** Answers with an errcode other than 0, by errcode. */
  errors: Record<string, number>;
  /** Business calls whose token was refused: 40001, 40014, 41001 or 42001. */
  tokenErrors: number;
}

export interface SimulatorCounters {
  /** Everything together. */
  total: AccountCounters;
  accounts: Record<string, AccountCounters>;
  /** Calls that belong to no known account: no token, an unknown one, or an unknown appid. */
  anonymous: AccountCounters;
}

export function createCounters(): AccountCounters {
  return {
    classic: { calls: 0, issued: 0 },
    stable: { calls: 0, issued: 0, forced: 0 },
    ticket: { calls: 0, issued: 0 },
    calls: {},
    errors: {},
    tokenErrors: 0,
  };
}

/** Counts one more under `key`. */
export function increase(counts: Record<string, number>, key: string | number): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Adds `from` to `into`. */
export function addCounters(into: AccountCounters, from: AccountCounters): void {
  into.classic.calls += from.classic.calls;
  into.classic.issued += from.classic.issued;
  into.stable.calls += from.stable.calls;
  into.stable.issued += from.stable.issued;
  into.stable.forced += from.stable.forced;
  into.ticket.calls += from.ticket.calls;
  into.ticket.issued += from.ticket.issued;
  into.tokenErrors += from.tokenErrors;
  for (const [key, count] of Object.entries(from.calls)) into.calls[key] = (into.calls[key] ?? 0) + count;
  for (const [key, count] of Object.entries(from.errors)) into.errors[key] = (into.errors[key] ?? 0) + count;
}
