import type { FastifyRequest } from 'fastify';
import { isFromWebPage } from '../../access/browser.ts';
import type { CallerDirectory, CallerScope } from '../../access/callers.ts';
import { createIpWhiteList, type IpWhiteList } from '../../access/ip-white-list.ts';
import { hasS2sHeaders, type S2sSettings, verifyS2s } from '../../access/s2s.ts';
import type { ReplayGuard } from '../../access/s2s-replays.ts';
import { BridgeError } from '../../base/errors.ts';
import type { App } from '../../platforms/platform.ts';
import type { AdminKeys } from '../admin-keys.ts';
import { actorOf, type Identity, identify, mayTouch } from '../identity.ts';

/** Who calls a function, and which apps are theirs. */
export interface Grantee {
  /** For the log: name of the caller, or the way by which everybody is let in. */
  readonly name: string;
  mayTouch(app: App): boolean;
}

/** The ways in that are configured, besides callers and admin keys. */
export interface WaysIn {
  readonly s2s: S2sSettings | undefined;
  readonly ipWhiteList: readonly string[];
}

/** What authentication works with. */
export interface AuthenticateDeps {
  readonly admin: AdminKeys;
  readonly callers: CallerDirectory;
  /** Read at every request, so that a reload takes effect. */
  readonly ways: () => WaysIn;
  readonly replays: ReplayGuard;
  readonly now: () => number;
}

/** Finds out who sent a request and whether they may; throws CALLER_UNKNOWN or CALLER_FORBIDDEN. */
export type Authenticate = (
  request: FastifyRequest,
  scope: CallerScope,
  input: unknown,
  /** Told who it is before it is known whether they may. */
  onIdentity: (identity: Identity) => void,
) => Promise<Grantee>;

/**
 * Makes the check of who calls. A proof that is sent must hold: none is passed over for a weaker one. In
 * order: uni-cloud-s2s, a key, `ipWhiteList`, the address of a configured caller; and while none of these
 * is configured, everybody on this machine but web pages.
 */
export function createAuthenticate(deps: AuthenticateDeps): Authenticate {
  const { admin, callers, ways, replays, now } = deps;
  const listOf = rememberLast(createIpWhiteList);

  return async (request, scope, input, onIdentity) => {
    const { s2s, ipWhiteList } = ways();
    if (hasS2sHeaders(request.headers)) {
      if (s2s === undefined) throw s2sNotConfigured();
      await verifyS2s(
        s2s,
        { method: request.method, headers: request.headers, body: input, now: now() },
        replays,
      );
      return everyApp('s2s');
    }
    const remoteAddress = request.socket.remoteAddress ?? '';
    const sentKey =
      request.headers['x-bridge-key'] !== undefined || request.headers.authorization !== undefined;
    if (!sentKey && !isOfWebPage(request) && listOf(ipWhiteList).includes(remoteAddress))
      return everyApp('ipWhiteList');
    const onlyOtherWays = callers.all().length === 0 && (s2s !== undefined || ipWhiteList.length > 0);
    try {
      // With other ways in, being on this machine is no proof.
      if (onlyOtherWays && request.headers.authorization === undefined) throw unknown(sentKey, remoteAddress);
      const identity = identify(request, { scope }, { admin, callers, onIdentity });
      return {
        name: actorOf(identity) ?? '',
        mayTouch: app => mayTouch(identity, app),
      };
    } catch (error) {
      throw error instanceof BridgeError && error.code === 'CALLER_UNKNOWN'
        ? withWays(error, { s2s, ipWhiteList }, callers)
        : error;
    }
  };
}

function everyApp(name: string): Grantee {
  return { name, mayTouch: () => true };
}

/** A page in a browser on a listed machine is not that machine's server. */
function isOfWebPage({ headers }: FastifyRequest): boolean {
  return isFromWebPage({ secFetchSite: headers['sec-fetch-site']?.toString(), origin: headers.origin });
}

/** Compiles a list again only when it is another one. */
function rememberLast(compile: (rules: readonly string[]) => IpWhiteList) {
  let last: { readonly rules: readonly string[]; readonly list: IpWhiteList } | undefined;
  return (rules: readonly string[]): IpWhiteList => {
    if (last?.rules !== rules) last = { rules, list: compile(rules) };
    return last.list;
  };
}

function s2sNotConfigured(): BridgeError {
  return new BridgeError(
    'CALLER_UNKNOWN',
    'the request is signed by uni-cloud-s2s, which is not configured here',
    {
      hint: 'configure "s2s" with the same values as uni-cloud-s2s/config.json on the side that calls',
    },
  );
}

function unknown(sentKey: boolean, remoteAddress: string): BridgeError {
  return new BridgeError(
    'CALLER_UNKNOWN',
    sentKey
      ? 'the x-bridge-key that was sent belongs to no caller'
      : `nothing proves who calls from ${remoteAddress}`,
  );
}

/** Says which ways in there are, as a caller with the wrong one cannot know. */
function withWays(
  { message, hint }: BridgeError,
  { s2s, ipWhiteList }: WaysIn,
  callers: CallerDirectory,
): BridgeError {
  if (s2s === undefined && ipWhiteList.length === 0)
    return new BridgeError('CALLER_UNKNOWN', message, hint === undefined ? {} : { hint });
  const ways = [
    s2s === undefined ? [] : `uni-cloud-s2s (${s2s.type === 'sign' ? `sign, ${s2s.hashMethod}` : s2s.type})`,
    ipWhiteList.length === 0 ? [] : 'addresses in ipWhiteList (not for web pages)',
    callers.all().length === 0 ? [] : 'caller keys as x-bridge-key',
    'admin keys as authorization: Bearer',
  ].flat();
  return new BridgeError('CALLER_UNKNOWN', message, {
    hint: `${hint === undefined ? '' : `${hint}; `}configured here: ${ways.join(', ')}`,
  });
}
