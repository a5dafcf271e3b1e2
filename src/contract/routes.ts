import type { z } from 'zod';
import { appList } from './apps.ts';
import { callerList, callerSelector, revocation } from './callers.ts';
import {
  callDetail,
  callDetailOptions,
  callList,
  callQuery,
  callSelector,
  usageList,
  usageQuery,
} from './calls.ts';
import {
  credentialList,
  credentialSelector,
  credentialStatus,
  refusalReport,
  reportOutcome,
} from './credentials.ts';
import { liveness, readiness } from './health.ts';
import { METRICS_MEDIA_TYPE, metricsText } from './metrics.ts';

/** Who may call a route: anyone, a caller with a scope (an administrator too), or an administrator only. */
export type RouteAccess =
  | 'public'
  | 'admin'
  | { readonly scope: 'credential:read' | 'credential:report' | 'calls:read' | 'metrics:read' | 'operate' };

/** One endpoint of the control API: the single place that server, clients and the OpenAPI document read. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** A part that begins with a colon is a parameter, described in `params`. */
  readonly url: string;
  readonly summary: string;
  readonly access: RouteAccess;
  readonly params?: z.ZodObject;
  /** Texts, numbers and true or false; a name that is not in it is refused. */
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Media type of an answer that is text. Without it answers are JSON. */
  readonly text?: string;
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
  metrics: {
    method: 'GET',
    url: '/metrics',
    summary: "Metrics in Prometheus' text format; public if metrics.public is set",
    access: { scope: 'metrics:read' },
    answer: metricsText,
    text: METRICS_MEDIA_TYPE,
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
  listCalls: {
    method: 'GET',
    url: '/v1/calls',
    summary: 'Calls through the gateway; a caller sees its own',
    access: { scope: 'calls:read' },
    query: callQuery,
    answer: callList,
  },
  getCall: {
    method: 'GET',
    url: '/v1/calls/:seqid',
    summary: 'One call through the gateway, by its x-openapi-seqid or rid; a caller sees its own',
    access: { scope: 'calls:read' },
    params: callSelector,
    query: callDetailOptions,
    answer: callDetail,
  },
  listUsage: {
    method: 'GET',
    url: '/v1/usage',
    summary: 'Sums of calls by day, caller and app; a caller sees its own',
    access: { scope: 'calls:read' },
    query: usageQuery,
    answer: usageList,
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
