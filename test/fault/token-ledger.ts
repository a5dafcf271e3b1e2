import type { Clock } from '../../src/base/clock.ts';
import { fingerprintOf } from '../../src/base/secret.ts';
import type { Simulator } from '../../src/simulator/index.ts';
import type { FaultApp } from './apps.ts';

/** A token that the platform issued, seen from outside. Times are milliseconds since the Unix epoch. */
export interface Token {
  readonly app: FaultApp;
  /** Counts the issues of the app's slot from 1. */
  readonly serial: number;
  /** Undefined for one that came and went between two looks. */
  readonly fingerprint: string | undefined;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** When it was first seen that the platform does not honour it any more; never too early. */
  deadAt: number | undefined;
  /** When it was revoked by the run, long before its time. */
  revokedAt: number | undefined;
  /** What the database said of it: when it was first seen there, and the earliest renewal planned. */
  committed: { readonly at: number; readonly epoch: number; renewAt: number } | undefined;
}

/** A row of the database that holds an access token. */
export interface CommittedRow {
  readonly appid: string;
  readonly fingerprint: string;
  readonly epoch: number;
  readonly renewAt: number;
}

/** Every token of the run in the order of its issue. */
export interface TokenLedger {
  /** Looks at the platform: notes new tokens and those that died. */
  look(): void;
  /** The token with this text; undefined when the platform never issued it. */
  find(text: string): Token | undefined;
  /** All tokens of an app, oldest first. */
  of(app: FaultApp): readonly Token[];
  newest(app: FaultApp): Token | undefined;
  /** Takes note of what the database holds. */
  noteCommitted(row: CommittedRow): void;
  /** Revokes what works, as the platform does after a leak. */
  revoke(app: FaultApp): void;
}

/** Makes the ledger over a simulator in this process. */
export function createTokenLedger(options: {
  readonly simulator: Simulator;
  readonly apps: readonly FaultApp[];
  readonly clock: Clock;
}): TokenLedger {
  const { simulator, apps, clock } = options;
  const all = new Map<FaultApp, Token[]>(apps.map(app => [app, []]));
  const byFingerprint = new Map<string, Token>();
  const byText = new Map<string, Token>();

  const of = (app: FaultApp): Token[] => all.get(app) ?? [];

  function lookAt(app: FaultApp): void {
    const now = clock.now();
    const tokens = of(app);
    const valid = simulator.state.account(app.appid)?.tokens[app.endpoint] ?? [];
    for (const view of [...valid].reverse()) {
      if (view.serial <= tokens.length) continue;
      const { issuedAt, expiresAt } = view;
      while (tokens.length < view.serial) {
        const isThis = tokens.length + 1 === view.serial;
        tokens.push({
          ...{ app, serial: tokens.length + 1, issuedAt, expiresAt },
          fingerprint: isThis ? view.fingerprint : undefined,
          deadAt: isThis ? undefined : now,
          ...{ revokedAt: undefined, committed: undefined },
        });
      }
      const token = tokens.at(-1);
      if (token !== undefined) byFingerprint.set(view.fingerprint, token);
    }
    const living = new Set(valid.map(({ serial }) => serial));
    // At most two of a slot live, but an unseen one may be between them.
    for (const token of tokens.slice(-4)) if (!living.has(token.serial)) token.deadAt ??= now;
  }

  const look = (): void => {
    for (const app of apps) lookAt(app);
  };

  return {
    look,
    of,
    newest: app => of(app).at(-1),
    find(text) {
      const known = byText.get(text);
      if (known !== undefined) return known;
      look();
      const token = byFingerprint.get(fingerprintOf(text));
      if (token !== undefined) byText.set(text, token);
      return token;
    },
    noteCommitted({ fingerprint, epoch, renewAt }) {
      const token = byFingerprint.get(fingerprint);
      if (token === undefined) return;
      token.committed ??= { at: clock.now(), epoch, renewAt };
      token.committed.renewAt = Math.min(token.committed.renewAt, renewAt);
    },
    revoke(app) {
      look();
      simulator.revoke(app.appid, app.endpoint);
      for (const token of of(app).slice(-4)) if (token.deadAt === undefined) token.revokedAt ??= clock.now();
      look();
    },
  };
}
