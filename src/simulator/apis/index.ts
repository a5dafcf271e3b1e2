import type { AccountApi, OpenApi } from '../call.ts';
import type { PathEntry } from '../path-entry.ts';
import type { Site } from '../sites.ts';
import { codeApis } from './codes.ts';
import { loginApis, qqLoginApis } from './login.ts';
import { loginStateApis } from './login-state.ts';
import { managementAccountApis, managementOpenApis } from './management.ts';
import { mediaApis } from './media.ts';
import { menuApis } from './menu.ts';
import { messageApis } from './messages.ts';
import { oauthApis } from './oauth.ts';
import { operationApis } from './operation.ts';
import { phoneApis } from './phone.ts';
import { qqConnectApis } from './qq-connect.ts';
import { qqMiniApis } from './qq-mini.ts';
import { securityApis } from './security.ts';
import { qqTokenApis, tokenAccountApis, tokenOpenApis } from './token.ts';
import { userApis } from './users.ts';

const mapOf = <T>(apis: Record<string, T>): ReadonlyMap<string, T> => new Map(Object.entries(apis));

const accountApis: Readonly<Record<Site, ReadonlyMap<string, AccountApi>>> = {
  weixin: mapOf({
    ...tokenAccountApis,
    ...managementAccountApis,
    ...loginStateApis,
    ...phoneApis,
    ...codeApis,
    ...securityApis,
    ...messageApis,
    ...menuApis,
    ...userApis,
    ...mediaApis,
    ...operationApis,
  }),
  qq: mapOf(qqMiniApis),
  'qq-connect': mapOf({}),
};

const openApis: Readonly<Record<Site, ReadonlyMap<string, OpenApi>>> = {
  weixin: mapOf({ ...tokenOpenApis, ...managementOpenApis, ...loginApis, ...oauthApis }),
  qq: mapOf({ ...qqTokenApis, ...qqLoginApis }),
  'qq-connect': mapOf(qqConnectApis),
};

/** What answers a path with an access_token, when it has an answer of its own; all others say ok. */
export function accountApiOf({ site, path }: PathEntry): AccountApi | undefined {
  return accountApis[site].get(path);
}

/** What answers a path without an access_token, when it has an answer of its own; all others say ok. */
export function openApiOf({ site, path }: PathEntry): OpenApi | undefined {
  return openApis[site].get(path);
}
