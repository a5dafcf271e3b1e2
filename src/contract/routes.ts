import type { z } from 'zod';
import { appList } from './apps.ts';
import { callerList, callerSelector, revocation } from './callers.ts';
import {
  credentialList,
  credentialSelector,
  credentialStatus,
  refusalReport,
  reportOutcome,
} from './credentials.ts';
import { liveness, readiness } from './health.ts';

/** Who may call a route: anyone, a caller with a scope (an administrator too), or an administrator only. */
export type RouteAccess =
  | 'public'
  | 'admin'
  | { readonly scope: 'credential:read' | 'credential:report' | 'operate' };

/** One endpoint of the control API: the single place that server, clients and the OpenAPI document read. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
}

/** Every endpoint, by the name its handler goes by. */
export const ROUTES = {
  livez: {
    method: 'GET',
    url: '/livez',
    summary: 'Whether the process runs',
    access: 'public',
    answer: liveness,
  },
  readyz: {
    method: 'GET',
    url: '/readyz',
    summary: 'Whether it can do its work',
    access: 'public',
    answer: readiness,
  },
  listApps: {
    method: 'GET',
    url: '/v1/apps',
    summary: 'The configured apps',
    access: { scope: 'credential:read' },
    answer: appList,
  },
  listCredentials: {
    method: 'GET',
    url: '/v1/credentials',
    summary: 'Metadata of the app-level credentials, never their values',
    access: { scope: 'credential:read' },
    answer: credentialList,
  },
  reportCredential: {
    method: 'POST',
    url: '/v1/credentials/report',
    summary: 'Tells that the platform refused a credential; it is replaced with at most one issue',
    access: { scope: 'credential:report' },
    body: refusalReport,
    answer: reportOutcome,
  },
  listCallers: {
    method: 'GET',
    url: '/v1/callers',
    summary: 'Who may call, without their keys',
    access: 'admin',
    answer: callerList,
  },
  revokeTokens: {
    method: 'POST',
    url: '/v1/callers/revoke-tokens',
    summary: 'Takes back every virtual token a caller was given so far',
    access: 'admin',
    body: callerSelector,
    answer: revocation,
  },
  rotateCredential: {
    method: 'POST',
    url: '/v1/credentials/rotate',
    summary: "Replaces a credential now, from the operator's share of the platform's budget",
    access: { scope: 'operate' },
    body: credentialSelector,
    answer: credentialStatus,
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
