import type { AccountApi, OpenApi } from '../call.ts';
import { codeApis } from './codes.ts';
import { managementAccountApis, managementOpenApis } from './management.ts';
import { mediaApis } from './media.ts';
import { menuApis } from './menu.ts';
import { messageApis } from './messages.ts';
import { operationApis } from './operation.ts';
import { securityApis } from './security.ts';
import { snsAccountApis, snsOpenApis } from './sns.ts';
import { tokenAccountApis, tokenOpenApis } from './token.ts';
import { userApis } from './users.ts';

/** Paths with an access_token that have an answer of their own; all others say ok. */
export const accountApis: ReadonlyMap<string, AccountApi> = new Map(
  Object.entries({
    ...tokenAccountApis,
    ...managementAccountApis,
    ...snsAccountApis,
    ...codeApis,
    ...securityApis,
    ...messageApis,
    ...menuApis,
    ...userApis,
    ...mediaApis,
    ...operationApis,
  }),
);

/** Paths without an access_token that have an answer of their own; all others say ok. */
export const openApis: ReadonlyMap<string, OpenApi> = new Map(
  Object.entries({ ...tokenOpenApis, ...managementOpenApis, ...snsOpenApis }),
);
