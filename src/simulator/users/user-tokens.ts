import { type BoundedMap, createBoundedMap } from '../bounded.ts';
import type { Grant, UserToken } from './user.ts';

/** How many tokens of each kind are remembered, over all accounts; an older one is of unknown origin. */
const REMEMBERED_TOKENS = 100_000;

/** An access_token and the consent it comes of. */
export interface HeldToken {
  readonly grant: Grant;
  readonly token: UserToken;
}

/** Users' tokens of all accounts, by their text. Look-ups take constant time. */
export interface UserTokens {
  /** Takes up the consent's present tokens. */
  remember(grant: Grant): void;
  access(value: string): HeldToken | undefined;
  refresh(value: string): Grant | undefined;
}

export function createUserTokens(): UserTokens {
  const byAccess: BoundedMap<HeldToken> = createBoundedMap(REMEMBERED_TOKENS);
  const byRefresh: BoundedMap<Grant> = createBoundedMap(REMEMBERED_TOKENS);
  return {
    remember(grant) {
      byAccess.set(grant.token.value, { grant, token: grant.token });
      byRefresh.set(grant.refreshToken, grant);
    },
    access: value => byAccess.get(value),
    refresh: value => byRefresh.get(value),
  };
}
