import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Secret } from '../base/secret.ts';
import type { App, UserGrant, UserTokenPlan } from '../platforms/platform.ts';
import { platformOf } from '../platforms/platforms.ts';
import type { CredentialRef, ValueObject, ValueReading } from './credentials.ts';
import { IssueRefused } from './failures.ts';
import type { Flights } from './flights.ts';
import { credentialName } from './keys.ts';
import type { Lease } from './lease.ts';
import type { Pursue } from './pursuit.ts';
import type { UserExchange } from './user-exchange.ts';
import type { UserRow, UserRows } from './user-rows.ts';

/** Field in which uni-id keeps the end of the access token, in milliseconds since the Unix epoch. */
const END_FIELD = 'access_token_expired';

/** Least pause between two tries to renew a token that is still in use. */
const NUDGE_SPACING_MS = 60_000;
const NUDGES_REMEMBERED = 10_000;

/** OAuth tokens of users: kept as they were pushed in or granted, and renewed by their refresh tokens. */
export interface UserTokens {
  get(ref: CredentialRef, obtain: boolean): Promise<ValueReading>;
  /** A value from outside. One with a refresh token is kept for as long as that can be used. */
  set(ref: CredentialRef, value: ValueObject, expiresAt: number): Promise<void>;
  /** A grant by a login here. */
  keep(app: App, grant: UserGrant, startedAt: number): Promise<void>;
}

/** What user tokens work with. */
export interface UserTokenDeps {
  readonly rows: UserRows;
  readonly exchange: UserExchange;
  readonly pursue: Pursue;
  readonly flights: Flights;
  readonly clock: Clock;
  readonly log: Log;
}

export function createUserTokens({ rows, exchange, pursue, flights, clock, log }: UserTokenDeps): UserTokens {
  /** When a renewal ahead of time was last tried, by user. */
  const nudged = new Map<string, number>();

  const read = (row: UserRow | undefined): ValueReading | undefined => {
    if (row === undefined) return { state: 'absent' };
    const endsAt = endOf(row);
    return clock.now() < endsAt ? { state: 'usable', value: row.value, expiresAt: endsAt } : undefined;
  };

  /** The row as it is to be kept for a value whose access token ends at `endsAt`. */
  const rowFor = (
    app: App,
    value: ValueObject,
    endsAt: number,
    grantedAt: number,
    before: UserRow | undefined,
  ): UserRow => {
    const plan = planFor(app);
    const refreshToken = refreshTokenIn(value);
    const row = { value, renewAt: undefined, issuedAt: clock.now(), previous: undefined };
    if (plan === undefined || refreshToken === undefined) return { ...row, expiresAt: endsAt };
    // The platform's figure counts from the grant: a value written again with the same refresh token lives no longer.
    const refreshEndsAt =
      before?.renewAt !== undefined && refreshTokenIn(before.value) === refreshToken
        ? before.expiresAt
        : grantedAt + plan.refreshLifeMs;
    return { ...row, expiresAt: Math.max(endsAt, refreshEndsAt), renewAt: endsAt };
  };

  const isRenewable = (app: App, row: UserRow): boolean =>
    planFor(app) !== undefined && refreshTokenIn(row.value) !== undefined && clock.now() < row.expiresAt;

  /** Whether a token in use is so near its end that its refresh token, which ends too, should be used. */
  const isDue = (app: App, row: UserRow | undefined): boolean =>
    row !== undefined &&
    clock.now() >= endOf(row) - (planFor(app)?.renewAheadMs ?? 0) &&
    isRenewable(app, row);

  /** What there is to say without asking the platform; undefined when a refresh is due. */
  const settled = (app: App, row: UserRow | undefined): ValueReading | undefined => {
    if (isDue(app, row)) return undefined;
    return read(row) ?? { state: 'login-required', reason: reasonOf(row) };
  };

  const reasonOf = (row: UserRow | undefined): string =>
    row !== undefined && refreshTokenIn(row.value) !== undefined && clock.now() >= row.expiresAt
      ? 'the refresh token has ended or was refused: the user must log in again'
      : 'the user access token has ended and nothing can renew it: the user must log in again';

  async function refresh(ref: CredentialRef, plan: UserTokenPlan, lease: Lease): Promise<ValueReading> {
    const { app } = ref;
    const before = await rows.readNow(ref);
    const refreshToken = before && refreshTokenIn(before.value);
    if (before === undefined || refreshToken === undefined) return { state: 'absent' };
    const { answer, startedAt } = await exchange(ref.kind, {
      app,
      request: plan.refresh(app, new Secret(refreshToken)),
      mayProceed: () => lease.confirm(),
      // One that arrived has used the refresh token up, even if its answer was lost.
      oneShot: plan.refreshRotates,
    });
    if (!answer.ok) {
      const { errcode, errmsg } = answer.refusal;
      if (!plan.loginAgainCodes.has(errcode)) throw new IssueRefused(answer.refusal, ref);
      log.info({ app: app.name, errcode }, 'a refresh token was refused: the user must log in again');
      await rows.write(ref, row => {
        if (row === undefined || refreshTokenIn(row.value) !== refreshToken) return undefined;
        return { ...row, expiresAt: Math.min(row.expiresAt, clock.now()) };
      });
      return { state: 'login-required', reason: `the platform answered ${errcode} ${errmsg}` };
    }
    const grant = plan.read(answer.body);
    const endsAt = startedAt + grant.lifeMs;
    const next = refreshed(before, grant, endsAt);
    const refreshEndsAt = plan.refreshRotates ? startedAt + plan.refreshLifeMs : before.expiresAt;
    await rows.write(ref, row => {
      // A login that came in meanwhile brought a newer pair.
      if (row === undefined || refreshTokenIn(row.value) !== refreshToken) return undefined;
      return {
        ...row,
        value: next,
        renewAt: endsAt,
        issuedAt: startedAt,
        expiresAt: Math.max(endsAt, refreshEndsAt),
      };
    });
    const reading = read(await rows.readNow(ref));
    return reading ?? { state: 'usable', value: next, expiresAt: endsAt };
  }

  const renew = (ref: CredentialRef, plan: UserTokenPlan): Promise<ValueReading> =>
    flights.shared(`refresh|${credentialName(ref)}`, () =>
      pursue({
        name: credentialName(ref),
        what: `user access token of a user of ${ref.app.name} (${ref.app.appid})`,
        settled: async () => settled(ref.app, await rows.readNow(ref)),
        work: lease => refresh(ref, plan, lease),
      }),
    );

  /** Renews behind the callers' backs, and leaves one that fails alone for a while. */
  const nudge = (ref: CredentialRef, plan: UserTokenPlan): void => {
    const name = credentialName(ref);
    const last = nudged.get(name);
    if (last !== undefined && clock.now() - last < NUDGE_SPACING_MS) return;
    if (nudged.size >= NUDGES_REMEMBERED) nudged.clear();
    nudged.set(name, clock.now());
    renew(ref, plan).catch(error =>
      log.warn({ app: ref.app.name, err: error }, 'a user token was not renewed ahead of its end'),
    );
  };

  return {
    async get(ref, obtain) {
      const row = await rows.read(ref);
      const known = settled(ref.app, row);
      if (known !== undefined) return known;
      const plan = planFor(ref.app);
      const reading = read(row);
      if (!obtain || plan === undefined) return reading ?? { state: 'absent' };
      if (reading === undefined) return renew(ref, plan);
      nudge(ref, plan);
      return reading;
    },
    async set(ref, value, expiresAt) {
      const endsAt = Math.min(expiresAt, endFieldOf(value) ?? Number.POSITIVE_INFINITY);
      await rows.write(ref, before => rowFor(ref.app, value, endsAt, clock.now(), before));
    },
    async keep(app, grant, startedAt) {
      const endsAt = startedAt + grant.lifeMs;
      const ref: CredentialRef = { app, kind: 'user-access-token', openid: grant.openid };
      await rows.write(ref, before => rowFor(app, grantedValue(grant, endsAt), endsAt, startedAt, before));
    },
  };
}

/** How tokens of an app's users are had; undefined when they are only pushed in. */
export function planFor(app: App): UserTokenPlan | undefined {
  return app.managed ? platformOf(app.platform).userTokens : undefined;
}

/** As `planFor`; throws CREDENTIAL_UNSUPPORTED that says what to do instead. */
export function requireUserTokens(app: App): UserTokenPlan {
  const plan = planFor(app);
  if (plan !== undefined) return plan;
  throw new BridgeError(
    'CREDENTIAL_UNSUPPORTED',
    `users of ${app.name} (${app.platform}) do not log in here`,
    {
      hint: app.managed
        ? 'log in with an app of weixin-mp, weixin-h5, weixin-web, weixin-app, qq-mp or qq-app'
        : 'the app is not managed here: exchange the code yourself and push the result in',
    },
  );
}

function refreshTokenIn(value: ValueObject): string | undefined {
  const token = value['refresh_token'];
  return typeof token === 'string' && token !== '' ? token : undefined;
}

function endFieldOf(value: ValueObject): number | undefined {
  const end = value[END_FIELD];
  return typeof end === 'number' && Number.isFinite(end) && end > 0 ? end : undefined;
}

/** When the access token in a row ends. Rows that uniCloud wrote say it in the value, if at all. */
function endOf(row: UserRow): number {
  return row.renewAt ?? Math.min(row.expiresAt, endFieldOf(row.value) ?? Number.POSITIVE_INFINITY);
}

function grantedValue(grant: UserGrant, endsAt: number): ValueObject {
  return {
    access_token: grant.accessToken.reveal(),
    ...(grant.refreshToken && { refresh_token: grant.refreshToken.reveal() }),
    [END_FIELD]: endsAt,
  };
}

/** The value after a refresh: what else was stored beside the tokens stays. */
function refreshed(before: UserRow, grant: UserGrant, endsAt: number): ValueObject {
  return {
    ...before.value,
    access_token: grant.accessToken.reveal(),
    ...(grant.refreshToken && { refresh_token: grant.refreshToken.reveal() }),
    ...(before.value[END_FIELD] !== undefined && { [END_FIELD]: endsAt }),
  };
}
