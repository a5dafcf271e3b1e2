import type { Log } from '../base/log.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { SettingTable } from '../stores/store.ts';
import type { CredentialRef, EarlyEnds } from './credentials.ts';
import { credentialName } from './keys.ts';

const DAY_MS = 24 * 60 * 60_000;
/** How long an early end is remembered. */
const KEPT_MS = 30 * DAY_MS;
/** Most that are remembered of one credential; a rival that goes on makes more of them than anybody reads. */
const MOST_KEPT = 50;

/** One time that a credential died before its time and nobody here had replaced it. */
export interface EarlyEnd {
  /** When it was noticed, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** How long it had lived, and how much of its life was left, in milliseconds. */
  readonly livedMs: number;
  readonly leftMs: number;
}

/** Keeps account of credentials that somebody else replaces. */
export interface ForeignRefreshes {
  /** Notes an early end and says so in the log. The caller holds the credential's lease. */
  note(ref: CredentialRef, end: EarlyEnd): Promise<void>;
  /** Undefined when there was none. */
  of(ref: CredentialRef): Promise<EarlyEnds | undefined>;
}

/** Makes it over the store, so that all nodes see the same. */
export function createForeignRefreshes(deps: {
  readonly settings: SettingTable;
  readonly log: Log;
  readonly now: () => number;
}): ForeignRefreshes {
  const { settings, log, now } = deps;
  const nameOf = (ref: CredentialRef): string => `early-ends:${credentialName(ref)}`;

  async function read(ref: CredentialRef): Promise<readonly EarlyEnd[]> {
    const text = await settings.get(nameOf(ref));
    const ends = text === undefined ? [] : (JSON.parse(text) as readonly EarlyEnd[]);
    return ends.filter(({ at }) => at > now() - KEPT_MS);
  }

  return {
    async note(ref, end) {
      const ends = [...(await read(ref)), end].slice(-MOST_KEPT);
      await settings.put(nameOf(ref), JSON.stringify(ends));
      const { lastDay, likelyCause, advice } = summary(ref, ends, now());
      log.warn(
        {
          app: ref.app.name,
          appid: ref.app.appid,
          kind: ref.kind,
          livedSeconds: Math.round(end.livedMs / 1000),
          leftSeconds: Math.round(end.leftMs / 1000),
          lastDay,
          likelyCause,
          hint: advice,
        },
        'a credential died before its time, and not by our doing',
      );
    },
    async of(ref) {
      const ends = await read(ref);
      return ends.length === 0 ? undefined : summary(ref, ends, now());
    },
  };
}

function summary(ref: CredentialRef, ends: readonly EarlyEnd[], now: number): EarlyEnds {
  const { app } = ref;
  const { consoleUrl } = platformOf(app.platform);
  const stable = app.tokenMode === 'stable' && app.platform.startsWith('weixin');
  return {
    lastDay: ends.filter(({ at }) => at > now - DAY_MS).length,
    total: ends.length,
    lastAt: ends.at(-1)?.at ?? 0,
    likelyCause: stable
      ? `somebody who holds the secret of ${app.appid} forces new stable tokens (force_refresh), or the secret was reset`
      : `another program holds the secret of ${app.appid} and asks for tokens of its own, each of which ends ours`,
    advice: stable
      ? `find who sends "force_refresh": true with this secret and point it here; if nobody should have the secret, reset it at ${consoleUrl} and put the new one into the configuration`
      : `point the other program here, or set "tokenEndpoint": "stable" on the app: stable tokens are not ended by others' tokens`,
  };
}
