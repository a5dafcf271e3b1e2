import { Readable } from 'node:stream';
import { BridgeError, ERRORS } from '../base/errors.ts';
import { jsonObjectIn } from '../base/json-object.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Answer, Call, Stage } from './call.ts';
import { FOLLOWED_HEADER } from './header-names.ts';
import { APP_PARAMETER, dropParameters } from './query.ts';
import type { FollowSettings } from './settings.ts';

/** Followers a call may pass. Two or three in a row are a choice; more are a ring. */
const MOST_HOPS = 4;

/** How the bridge that is followed met the last call. */
export type Followed = 'ok' | 'unreachable' | 'refuses follow.key' | 'is no gateway of open-bridge';

/** What relaying needs. */
export interface RelayOptions {
  readonly follow: () => FollowSettings;
  /** Told at every call. It must not throw. */
  readonly onFollowed?: ((state: Followed) => void) | undefined;
}

/** Errors of the gateway that is followed which mean that it does not take our key. */
const KEY_REFUSALS: ReadonlySet<unknown> = new Set([
  ERRORS.CALLER_UNKNOWN.errcode,
  ERRORS.CALLER_EXPIRED.errcode,
]);

/**
 * In the place of `inject` at a bridge that follows another: the call goes out without a credential, naming
 * the app, and the bridge that is followed puts in its own. Its answers come back as they are, its own
 * refusals too, but for those that concern the two bridges and not the caller.
 */
export function relay(options: RelayOptions): Stage {
  const { follow, onFollowed } = options;

  const relayed = (call: Call, answer: Answer): Answer => {
    const { gateway } = follow();
    // Every answer of a gateway bears its mark; a proxy on the way, or another server, does not know it.
    if (call.followedSeqid === undefined) {
      onFollowed?.('is no gateway of open-bridge');
      discard(answer);
      throw noGateway(gateway, answer.status);
    }
    const refusal = keyRefusal(answer);
    if (refusal !== undefined) {
      onFollowed?.('refuses follow.key');
      throw keyRefused(gateway, refusal);
    }
    onFollowed?.('ok');
    nameCalls(answer.headers, call.followedSeqid);
    return answer;
  };

  return next => async call => {
    if (call.hops >= MOST_HOPS) throw loop(call.hops);
    call.outgoingQuery = relayedQuery(call);
    let answer: Answer;
    try {
      answer = await next(call);
    } catch (error) {
      if (!(error instanceof BridgeError) || error.code !== 'UPSTREAM_UNREACHABLE') throw error;
      onFollowed?.('unreachable');
      throw unreachable(error);
    }
    return relayed(call, answer);
  };
}

/**
 * The query without a stand-in for a token and with the app by its appid, so that the bridge that is followed
 * acts as the same one whatever its default is. A credential of the caller's own passes as it is.
 */
function relayedQuery(call: Call): string {
  const { callerTokenParameters } = call.platform as Platform;
  const stands = !call.ownToken && (call.token !== undefined || call.emptyToken);
  const others = stands ? dropParameters(call.query, callerTokenParameters) : call.query;
  if (call.app === undefined) return others;
  const named = `${APP_PARAMETER}=${encodeURIComponent(call.app.appid)}`;
  return others === '' ? named : `${named}&${others}`;
}

/** Lists the call's ids at the bridges that were followed, so that each can be looked up where it is kept. */
function nameCalls(headers: string[], nearest: string): void {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() !== FOLLOWED_HEADER) continue;
    headers[at + 1] = `${nearest}, ${headers[at + 1]}`;
    return;
  }
  headers.push(FOLLOWED_HEADER, nearest);
}

/** What the bridge that is followed says against our key; undefined when it takes it. */
function keyRefusal({ status, body }: Answer): string | undefined {
  if (status !== ERRORS.CALLER_UNKNOWN.status || !Buffer.isBuffer(body)) return undefined;
  const told = jsonObjectIn(body.toString('utf8'));
  return KEY_REFUSALS.has(told?.['errcode']) ? String(told?.['errmsg']) : undefined;
}

function discard({ body }: Answer): void {
  if (body instanceof Readable) body.destroy();
}

function loop(hops: number): BridgeError {
  return new BridgeError('FOLLOW_LOOP', `the call has passed ${hops} bridges that follow one another`, {
    hint: 'follow.gateway must lead to a bridge that holds the credentials; see which of them leads back',
  });
}

function keyRefused(gateway: string, because: string): BridgeError {
  return new BridgeError('FOLLOW_REFUSED', `${gateway} does not take follow.key: ${because}`, {
    hint: 'put a key into follow.key that is listed under "callers" at the bridge that is followed',
  });
}

function noGateway(gateway: string, status: number): BridgeError {
  return new BridgeError(
    'UPSTREAM_UNREACHABLE',
    `what answered at follow.gateway (${gateway}) with HTTP ${status} is no gateway of open-bridge`,
    {
      hint: 'set follow.gateway to listen.gateway or listen.gatewayTls of the other bridge, or see what stands before it',
    },
  );
}

function unreachable({ message }: BridgeError): BridgeError {
  return new BridgeError('UPSTREAM_UNREACHABLE', `the bridge that is followed: ${message}`, {
    hint: 'see whether it runs, and that follow.gateway and follow.ca are right; for https, follow.ca is the gateway-ca.crt of that bridge unless a proxy with a public certificate stands before it',
  });
}
