import { createHash } from 'node:crypto';
import { type Answer, controlJson, ok, status } from './answers.ts';
import { accountApiOf, openApiOf } from './apis/index.ts';
import { blobOf } from './blob.ts';
import type { Call } from './call.ts';
import { isVerbRight, wantsJson } from './catalog.ts';
import { type AccountCounters, increase } from './counters.ts';
import { ApiError, errmsgOf, TOKEN_ERRORS } from './errors.ts';
import { failure } from './failures.ts';
import type { FaultPlan } from './faults.ts';
import type { Incoming, Reply } from './http.ts';
import type { PathEntry } from './path-entry.ts';
import type { Platform } from './platform.ts';
import { QQ_TOKEN_PATH } from './qq-catalog.ts';
import { CLASSIC_PATH, STABLE_PATH, TICKET_PATH } from './quotas.ts';
import { loggedBody, maskSecrets } from './rid.ts';
import { judgeToken, type Subject, subjectOf } from './subject.ts';
import { revokeSlot } from './token-slots.ts';

const UNKNOWN_PATH = '(unknown)';

export interface DispatchOptions {
  platform: Platform;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Aborts when the simulator closes. */
  signal: AbortSignal;
}

function requireVerb(entry: PathEntry, method: string): void {
  if (isVerbRight(entry, method)) return;
  if (entry.site === 'qq-connect') throw new ApiError(100029);
  throw new ApiError(entry.method === 'POST' ? 43002 : 43001);
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
    return standIn(call, plan) ?? openApiOf(entry)?.(call) ?? ok();
  }
  const account = judgeToken(subject, now);
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(48001);
  requireVerb(entry, call.method);
  if (!account.quotas.spend(entry.path, now)) throw new ApiError(45009);
  const instead = standIn(call, plan);
  if (instead !== undefined) return instead;
  const fields = wantsJson(entry) ? call.json() : {};
  return accountApiOf(entry)?.({ ...call, account, fields }) ?? ok();
}

function countCall(counters: AccountCounters, path: string): void {
  increase(counters.calls, path);
  if (path === CLASSIC_PATH || path === QQ_TOKEN_PATH) counters.classic.calls += 1;
  else if (path === STABLE_PATH) counters.stable.calls += 1;
  else if (path === TICKET_PATH) counters.ticket.calls += 1;
}

function revokeFor({ token, userToken, account }: Subject, path: string, now: number): void {
  if (token !== undefined) token.retiredAt = Math.min(token.retiredAt, now);
  else if (userToken !== undefined) userToken.token.revokedAt = Math.min(userToken.token.revokedAt, now);
  else if (account !== undefined && (path === CLASSIC_PATH || path === QQ_TOKEN_PATH))
    revokeSlot(account.slots.classic, now);
  else if (account !== undefined && path === STABLE_PATH) revokeSlot(account.slots.stable, now);
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
  function handle(incoming: Incoming, subject: Subject, plan: FaultPlan | undefined, rid: string): Answer {
    const { entry, site, userToken } = subject;
    const effect = plan?.effect;
    const fail = (errcode: number, errmsg = errmsgOf(errcode, incoming.clientIp)): Answer =>
      failure(site, incoming, errcode, errmsg, rid);
    const now = platform.clock.now();
    if (plan?.revoke) revokeFor(subject, incoming.path, now);
    if (effect?.kind === 'status') return status(effect.status, effect.body, effect.contentType);
    if (effect?.kind === 'errcode') {
      return fail(effect.errcode, effect.errmsg);
    }
    if (entry === undefined) return { ...fail(40066), status: 404 };
    if (entry.category === 'gateway-internal') return status(404);
    try {
      return answerOf({ ...incoming, platform, entry, now, userToken }, subject, plan);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return fail(error.errcode, error.errmsg);
    }
  }

  return async function dispatch(incoming: Incoming, reply: Reply): Promise<void> {
    const arrivedAt = platform.clock.now();
    const { rids, anonymous } = platform;
    const rid = rids.next(arrivedAt);
    const subject = subjectOf(incoming, platform);
    const { entry } = subject;
    const counters = subject.account?.counters ?? anonymous;
    countCall(counters, entry === undefined ? UNKNOWN_PATH : incoming.path);

    const plan = platform.faults.plan(incoming.path, subject.account?.appid);
    const effect = plan?.effect;
    if (plan !== undefined && plan.latencyBeforeMs > 0) await sleep(plan.latencyBeforeMs, signal);
    if (effect?.kind === 'silent') return;
    if (effect?.kind === 'cut' && (effect.at ?? 'before') === 'before') return reply.destroy();

    const answer = handle(incoming, subject, plan, rid);
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
