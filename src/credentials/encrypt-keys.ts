import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { EncryptKey } from '../platforms/platform.ts';
import type { CredentialRef, ValueObject, ValueReading } from './credentials.ts';
import { IssueRefused } from './failures.ts';
import type { Flights } from './flights.ts';
import { credentialName } from './keys.ts';
import type { Pursue } from './pursuit.ts';
import { requireSession, type SessionKeys, sessionPlanFor } from './session-keys.ts';
import type { UserRow, UserRows } from './user-rows.ts';

/** How long a key is kept whose life the platform says is over: what was encrypted with it may still be on its way. */
const ENDED_KEPT_MS = 24 * 60 * 60_000;
/** How long the platform is not asked again for a version it did not have. */
const ASK_AGAIN_MS = 3000;
/** Most users whose last answer is remembered. */
const REMEMBERED = 1000;

/** Keys by which mini programs encrypt what they send; the platform keeps the latest three of each user. */
export interface EncryptKeys {
  get(ref: CredentialRef, obtain: boolean): Promise<ValueReading>;
  set(ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void>;
  /** Asks the platform now, and keeps every version that comes back. */
  update(ref: CredentialRef): Promise<void>;
}

/** What encrypt keys are kept with. */
export interface EncryptKeyDeps {
  readonly rows: UserRows;
  readonly sessionKeys: SessionKeys;
  readonly pursue: Pursue;
  readonly flights: Flights;
  readonly clock: Clock;
}

export function createEncryptKeys({
  rows,
  sessionKeys,
  pursue,
  flights,
  clock,
}: EncryptKeyDeps): EncryptKeys {
  /** Versions that came back last, by user. */
  const asked = new Map<string, { readonly at: number; readonly versions: readonly number[] }>();

  const usable = (row: UserRow | undefined): ValueReading | undefined =>
    row !== undefined && clock.now() < row.expiresAt
      ? { state: 'usable', value: row.value, expiresAt: row.expiresAt }
      : undefined;

  const write = (ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void> =>
    rows.write(ref, () => ({
      value,
      expiresAt,
      renewAt: undefined,
      issuedAt: clock.now(),
      previous: undefined,
    }));

  /** Fetches what the platform keeps and stores all of it; resolves to the versions. */
  async function fetchAll({ app, openid = '' }: CredentialRef): Promise<readonly number[]> {
    const plan = requireSession(app, 'encryptKeys');
    const { readEncryptKeys } = requireSession(app, 'readEncryptKeys');
    const startedAt = clock.now();
    const answer = await sessionKeys.signedCall(app, openid, plan, plan.encryptKeys);
    if (!answer.ok) throw new IssueRefused(answer.refusal, { app, kind: 'encrypt-key', openid });
    const keys = readEncryptKeys(answer.body);
    for (const key of keys) {
      const ref: CredentialRef = { app, kind: 'encrypt-key', openid, version: key.version };
      await write(ref, keptValue(key), startedAt + (key.lifeMs > 0 ? key.lifeMs : ENDED_KEPT_MS));
    }
    return keys.map(({ version }) => version);
  }

  async function obtain(ref: CredentialRef): Promise<ValueReading> {
    const name = credentialName(ref);
    return pursue({
      name,
      what: `encrypt key of a user of ${ref.app.name} (${ref.app.appid})`,
      async settled() {
        const reading = usable(await rows.readNow(ref));
        if (reading !== undefined) return reading;
        const last = asked.get(name);
        if (last !== undefined && clock.now() - last.at < ASK_AGAIN_MS)
          throw noSuchVersion(ref, last.versions);
        return undefined;
      },
      async work() {
        const versions = await fetchAll(ref);
        const reading = usable(await rows.readNow(ref));
        if (reading !== undefined) return reading;
        if (asked.size >= REMEMBERED) asked.clear();
        asked.set(name, { at: clock.now(), versions });
        throw noSuchVersion(ref, versions);
      },
    });
  }

  return {
    async get(ref, mayObtain) {
      const reading = usable(await rows.read(ref));
      if (reading !== undefined) return reading;
      if (!mayObtain || sessionPlanFor(ref.app)?.encryptKeys === undefined) return { state: 'absent' };
      return flights.shared(`encrypt-key|${credentialName(ref)}|${ref.version}`, () => obtain(ref));
    },
    set: write,
    async update(ref) {
      requireSession(ref.app, 'encryptKeys');
      const versions = await flights.shared(`encrypt-key|${credentialName(ref)}`, () => fetchAll(ref));
      if (ref.version !== undefined && !versions.includes(ref.version)) throw noSuchVersion(ref, versions);
    },
  };
}

function keptValue({ encryptKey, iv }: EncryptKey): ValueObject {
  return { encrypt_key: encryptKey.reveal(), iv };
}

function noSuchVersion({ version, app }: CredentialRef, versions: readonly number[]): BridgeError {
  return new BridgeError(
    'CREDENTIAL_UNAVAILABLE',
    `the platform keeps no encrypt key of version ${version} for this user of ${app.name}: it keeps ${versions.join(', ') || 'none'}`,
    { hint: 'name the version that getLatestUserKey gave the mini program, within an hour' },
  );
}
