import type { z } from 'zod';
import { appList } from './apps.ts';
import { auditHeads, auditHeadsQuery, auditList, auditQuery } from './audit.ts';
import { callerList, callerSelector, keyRevocation, keySelector, revocation } from './callers.ts';
import {
  callDetail,
  callDetailOptions,
  callList,
  callQuery,
  callSelector,
  usageList,
  usageQuery,
} from './calls.ts';
import { credentialList, credentialSelector, refusalReport, reportOutcome, rotation } from './credentials.ts';
import { liveness, readiness } from './health.ts';
import { cardChoice, cardEntry, cardsToChoose, cardToAdd, pageSignature, pageToSign } from './js-sdk.ts';
import { drillOptions, drillRequest, drillSelector, leakDrill } from './leak-drill.ts';
import { METRICS_MEDIA_TYPE, metricsText } from './metrics.ts';
import { encryptedOpenData, openData, rawDataVerdict, signedRawData } from './open-data.ts';
import { phoneNumber, phoneNumberCode } from './phone-number.ts';
import { login, loginRequest, sessionReset, sessionSelector, sessionVerdict } from './sessions.ts';

/** Who may call a route: anyone, a caller with a scope (an administrator too), or an administrator only. */
export type RouteAccess =
  | 'public'
  | 'admin'
  | {
      readonly scope:
        | 'credential:read'
        | 'credential:report'
        | 'session:use'
        | 'calls:read'
        | 'metrics:read'
        | 'audit:read'
        | 'operate';
    };

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
  /** It only begins what was asked for, which goes on after the answer, with status 202. */
  readonly begins?: true;
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
  revokeKey: {
    method: 'POST',
    url: '/v1/callers/revoke-key',
    summary:
      'Takes back a key of a caller, or all of them, for good and with the virtual tokens they brought',
    access: 'admin',
    body: keySelector,
    answer: keyRevocation,
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
  listAudit: {
    method: 'GET',
    url: '/v1/audit',
    summary: 'Who read, set, replaced or was refused what; a caller sees what concerns its apps',
    access: { scope: 'audit:read' },
    query: auditQuery,
    answer: auditList,
  },
  listAuditHeads: {
    method: 'GET',
    url: '/v1/audit/heads',
    summary: 'The last entries of the chains of the audit log, to be kept elsewhere',
    access: { scope: 'audit:read' },
    query: auditHeadsQuery,
    answer: auditHeads,
  },
  rotateCredential: {
    method: 'POST',
    url: '/v1/credentials/rotate',
    summary: "Replaces a credential now, from the operator's share of the platform's budget",
    access: { scope: 'operate' },
    body: credentialSelector,
    answer: rotation,
  },
  startLeakDrill: {
    method: 'POST',
    url: '/v1/apps/:app/leak-drill',
    summary:
      'Ends a token that leaked: takes back keys and virtual tokens, refreshes twice; goes on by itself',
    access: { scope: 'operate' },
    params: drillSelector,
    body: drillRequest,
    answer: leakDrill,
    begins: true,
  },
  getLeakDrill: {
    method: 'GET',
    url: '/v1/apps/:app/leak-drill',
    summary: 'The latest leak drill of an app, and its report',
    access: { scope: 'operate' },
    params: drillSelector,
    query: drillOptions,
    answer: leakDrill,
  },
  loginUser: {
    method: 'POST',
    url: '/v1/sessions/login',
    summary: 'Exchanges a login code, once however many ask, and keeps the session that comes with it',
    access: { scope: 'session:use' },
    body: loginRequest,
    answer: login,
  },
  checkSession: {
    method: 'POST',
    url: '/v1/sessions/check',
    summary: "Asks the platform whether the session kept of a mini program's user is the current one",
    access: { scope: 'session:use' },
    body: sessionSelector,
    answer: sessionVerdict,
  },
  resetSession: {
    method: 'POST',
    url: '/v1/sessions/reset',
    summary: "Has the platform replace the session key of a mini program's user",
    access: { scope: 'session:use' },
    body: sessionSelector,
    answer: sessionReset,
  },
  decryptOpenData: {
    method: 'POST',
    url: '/v1/open-data/decrypt',
    summary: 'Decrypts what a mini program was given, with the session that is kept of its user',
    access: { scope: 'session:use' },
    body: encryptedOpenData,
    answer: openData,
  },
  verifyRawData: {
    method: 'POST',
    url: '/v1/open-data/verify',
    summary: 'Whether rawData is what the platform gave this user, by its signature',
    access: { scope: 'session:use' },
    body: signedRawData,
    answer: rawDataVerdict,
  },
  signPage: {
    method: 'POST',
    url: '/v1/js-sdk/page',
    summary: 'Signs a page, for wx.config',
    access: { scope: 'session:use' },
    body: pageToSign,
    answer: pageSignature,
  },
  signCardToAdd: {
    method: 'POST',
    url: '/v1/js-sdk/add-card',
    summary: 'Signs a card to be offered, for wx.addCard',
    access: { scope: 'session:use' },
    body: cardToAdd,
    answer: cardEntry,
  },
  signCardsToChoose: {
    method: 'POST',
    url: '/v1/js-sdk/choose-card',
    summary: 'Signs a choice among cards, for wx.chooseCard',
    access: { scope: 'session:use' },
    body: cardsToChoose,
    answer: cardChoice,
  },
  getPhoneNumber: {
    method: 'POST',
    url: '/v1/phone-number',
    summary: 'The phone number behind the code of a phone number button',
    access: { scope: 'session:use' },
    body: phoneNumberCode,
    answer: phoneNumber,
  },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;
