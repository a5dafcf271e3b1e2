import { createHash } from 'node:crypto';
import type { Account } from './accounts.ts';
import { type Answer, controlJson, ok, plain, status } from './answers.ts';
import { accountApis, openApis } from './apis/index.ts';
import { blobOf } from './blob.ts';
import type { Call } from './call.ts';
import { type CatalogEntry, catalogEntryOf, isVerbRight, wantsJson } from './catalog.ts';
import { type AccountCounters, increase } from './counters.ts';
import { ApiError, errmsgOf, TOKEN_ERRORS } from './errors.ts';
import type { FaultPlan } from './faults.ts';
import type { Incoming, Reply } from './http.ts';
import type { Platform } from './platform.ts';
import { CLASSIC_PATH, STABLE_PATH, TICKET_PATH } from './quotas.ts';
import { loggedBody, maskSecrets } from './rid.ts';
import { type IssuedToken, revokeSlot, verdictOn } from './token-slots.ts';

/** What an access_token looks like; anything else is malformed, 40014. */
const WELL_FORMED = /^\d{1,3}_[\w-]{60,509}$/;

const UNKNOWN_PATH = '(unknown)';

export interface DispatchOptions {
  platform: Platform;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Aborts when the simulator closes. */
  signal: AbortSignal;
}

/** Whom a call speaks for, before anything is judged. */
interface Subject {
  account: Account | undefined;
  /** The access_token as sent; empty when there is none. */
  tokenText: string;
  token: IssuedToken | undefined;
}

function subjectOf(incoming: Incoming, entry: CatalogEntry | undefined, platform: Platform): Subject {
  const { query } = incoming;
  if (entry?.auth === 'none' || entry?.auth === 'code') {
    let appid = query.get('appid');
    if (appid === null && incoming.body.length > 0) {
      try {
        const claimed = incoming.json()['appid'];
        appid = typeof claimed === 'string' ? claimed : null;
      } catch {
        // A body that is no JSON names nobody; the handler says so in the platform's words.
      }
    }
    return {
      account: appid === null ? undefined : platform.accounts.get(appid),
      tokenText: '',
      token: undefined,
    };
  }
  const own = entry?.auth === 'component' ? query.get('component_access_token') : null;
  const tokenText = own || query.get('access_token') || query.get('cloudbase_access_token') || '';
  const token = tokenText === '' ? undefined : platform.accounts.tokenOf(tokenText);
  return { account: token && platform.accounts.get(token.appid), tokenText, token };
}

/** Throws the errcode of a token that is missing, malformed, foreign, retired or expired. */
function judgeToken({ tokenText, token, account }: Subject, now: number): Account {
  if (tokenText === '') throw new ApiError(41001);
  if (!WELL_FORMED.test(tokenText)) throw new ApiError(40014);
  if (token === undefined || account === undefined) throw new ApiError(40001);
  const verdict = verdictOn(token, now);
  if (verdict !== 0) throw new ApiError(verdict);
  return account;
}

function requireVerb(entry: CatalogEntry, method: string): void {
  if (!isVerbRight(entry, method)) throw new ApiError(entry.method === 'POST' ? 43002 : 43001);
}

/** The request as it arrived, for tests of what stands between a caller and the platform. */
export function echoOf(incoming: Incoming): Answer {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    headers.push([incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '']);
  }
  return controlJson({
    method: incoming.method,
    url: incoming.target,
    headers,
    bodySha256: createHash('sha256').update(incoming.body).digest('hex'),
    bodyLength: incoming.body.length,
  });
}

/** The answer of an echo or blob fault, which comes after the credential checks. */
function standIn(call: Call, plan: FaultPlan | undefined): Answer | undefined {
  if (plan?.effect?.kind === 'echo') return echoOf(call);
  if (plan?.effect?.kind === 'blob') return blobOf(plan.effect.bytes);
  return undefined;
}

/** What the platform answers, credentials first: token, account type, verb, quota, body, then the API. */
function answerOf(call: Call, subject: Subject, plan: FaultPlan | undefined): Answer {
  const { entry, now } = call;
  if (entry.auth === 'component') {
    judgeToken(subject, now);
    // Component tokens are not simulated, so whatever is good here is an account's own token.
    throw new ApiError(48001);
  }
  if (entry.auth !== 'access_token') {
    requireVerb(entry, call.method);
    return standIn(call, plan) ?? openApis.get(entry.path)?.(call) ?? ok();
  }
  const account = judgeToken(subject, now);
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(48001);
  requireVerb(entry, call.method);
  if (!account.quotas.spend(entry.path, now)) throw new ApiError(45009);
  const instead = standIn(call, plan);
  if (instead !== undefined) return instead;
  const fields = wantsJson(entry) ? call.json() : {};
  return accountApis.get(entry.path)?.({ ...call, account, fields }) ?? ok();
}

function failure(errcode: number, errmsg: string, rid: string): Answer {
  return plain({ errcode, errmsg: `${errmsg} rid: ${rid}` });
}

function countCall(counters: AccountCounters, path: string): void {
  increase(counters.calls, path);
  if (path === CLASSIC_PATH) counters.classic.calls += 1;
  else if (path === STABLE_PATH) counters.stable.calls += 1;
  else if (path === TICKET_PATH) counters.ticket.calls += 1;
}

function revokeFor(subject: Subject, path: string, now: number): void {
  if (subject.token !== undefined) subject.token.retiredAt = Math.min(subject.token.retiredAt, now);
  else if (subject.account !== undefined && path === CLASSIC_PATH)
    revokeSlot(subject.account.slots.classic, now);
  else if (subject.account !== undefined && path === STABLE_PATH)
    revokeSlot(subject.account.slots.stable, now);
}

function garbled(answer: Answer, effect: { body?: string; truncated?: boolean }): Answer {
  if (effect.truncated === true && Buffer.isBuffer(answer.body)) {
    return { ...answer, body: answer.body.subarray(0, answer.body.length >> 1) };
  }
  const page = '<html><head><title>502</title></head><body>Bad Gateway</body></html>';
  return { ...answer, headers: { 'content-type': 'text/html' }, body: Buffer.from(effect.body ?? page) };
}

/** Makes the handler of every platform path. */
export function createDispatch({ platform, sleep, signal }: DispatchOptions) {
  /** Handles the call, or lets the fault answer in its place. */
  function handle(
    incoming: Incoming,
    entry: CatalogEntry | undefined,
    subject: Subject,
    plan: FaultPlan | undefined,
    rid: string,
  ): Answer {
    const effect = plan?.effect;
    const now = platform.clock.now();
    if (plan?.revoke) revokeFor(subject, incoming.path, now);
    if (effect?.kind === 'status') return status(effect.status, effect.body, effect.contentType);
    if (effect?.kind === 'errcode') {
      return failure(effect.errcode, effect.errmsg ?? errmsgOf(effect.errcode, incoming.clientIp), rid);
    }
    if (entry === undefined) return { ...failure(40066, errmsgOf(40066), rid), status: 404 };
    if (entry.category === 'gateway-internal') return status(404);
    try {
      return answerOf({ ...incoming, platform, entry, now }, subject, plan);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return failure(error.errcode, error.errmsg ?? errmsgOf(error.errcode, incoming.clientIp), rid);
    }
  }

  return async function dispatch(incoming: Incoming, reply: Reply): Promise<void> {
    const arrivedAt = platform.clock.now();
    const entry = catalogEntryOf(incoming.path);
    const { rids, anonymous } = platform;
    const rid = rids.next(arrivedAt);
    const subject = subjectOf(incoming, entry, platform);
    const counters = subject.account?.counters ?? anonymous;
    countCall(counters, entry === undefined ? UNKNOWN_PATH : incoming.path);

    const plan = platform.faults.plan(incoming.path, subject.account?.appid);
    const effect = plan?.effect;
    if (plan !== undefined && plan.latencyBeforeMs > 0) await sleep(plan.latencyBeforeMs, signal);
    if (effect?.kind === 'silent') return;
    if (effect?.kind === 'cut' && (effect.at ?? 'before') === 'before') return reply.destroy();

    const answer = handle(incoming, entry, subject, plan, rid);
    if (answer.errcode !== 0) {
      increase(counters.errors, answer.errcode);
      if (entry?.auth === 'access_token' && TOKEN_ERRORS.has(answer.errcode)) counters.tokenErrors += 1;
    }
    const isJson = answer.headers['content-type']?.includes('json') === true;
    rids.record(rid, {
      appid: subject.account?.appid,
      errcode: answer.errcode,
      invoke_time: Math.floor(arrivedAt / 1000),
      cost_in_ms: Math.max(0, Math.round(platform.clock.now() - arrivedAt)),
      request_url: maskSecrets(incoming.target),
      request_body: loggedBody(incoming.body, !incoming.contentType.includes('multipart')),
      response_body: Buffer.isBuffer(answer.body) ? loggedBody(answer.body, isJson) : '[stream]',
      client_ip: incoming.clientIp,
    });

    if (plan !== undefined && plan.latencyAfterMs > 0) await sleep(plan.latencyAfterMs, signal);
    const sent = effect?.kind === 'garbage' ? garbled(answer, effect) : answer;
    const at = effect?.kind === 'cut' ? effect.at : undefined;
    await reply.send(sent, at === 'headers' || at === 'body' ? at : undefined);
  };
}
