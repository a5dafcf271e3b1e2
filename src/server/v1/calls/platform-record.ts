import type { z } from 'zod';
import { BridgeError } from '../../../base/errors.ts';
import type { platformRecord } from '../../../contract/calls.ts';
import type { Credential } from '../../../credentials/credentials.ts';
import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { Upstream, UpstreamAnswer } from '../../../platforms/upstream.ts';
import type { CallRow } from '../../../stores/store.ts';
import type { Identity } from '../../identity.ts';
import { appFor, type HandlerDeps } from '../deps.ts';
import { maskSecrets } from './mask.ts';

type PlatformRecord = z.input<typeof platformRecord>;

/** What asking the platform needs. */
export interface PlatformDeps extends HandlerDeps {
  readonly upstream: Upstream;
}

/** Longest wait for the platform's word on a call. */
const TIMEOUT_MS = 10_000;

/**
 * What the platform keeps of a call; null when it gave the call no id. Its refusal is told in its own
 * words. Throws when there is no credential to ask with, or no answer.
 */
export async function askPlatform(
  deps: PlatformDeps,
  identity: Identity | undefined,
  { rid, appid, sends, credential: ofCall }: CallRow,
): Promise<PlatformRecord | null> {
  // A rid of a call that was never sent is one of ours.
  if (rid === undefined || appid === undefined || sends === 0) return null;
  const app = appFor(deps, identity, appid);
  const { callRecordPath } = platformOf(app.platform);
  if (callRecordPath === undefined) return null;
  const ref = { app, kind: 'access-token' } as const;
  let credential = await deps.authority.get(ref);
  const about = { path: callRecordPath, rid };
  let answer = await send(deps, app, credential, about);
  if (!answer.ok && answer.refusal.rule.class === 'token') {
    const { fingerprint } = credential.value;
    const { errcode } = answer.refusal;
    credential = (await deps.authority.report(ref, { fingerprint, errcode, observedBy: 'gateway' }))
      .credential;
    if (credential.value.fingerprint !== fingerprint) answer = await send(deps, app, credential, about);
  }
  if (!answer.ok) {
    const { errcode, errmsg } = answer.refusal;
    return { errcode, errmsg: maskSecrets(errmsg, credential.value, ofCall), request: null };
  }
  const { errmsg, request } = answer.body;
  return {
    errcode: 0,
    errmsg: maskSecrets(String(errmsg ?? 'ok'), credential.value, ofCall),
    request: readRequest(request, text => maskSecrets(text, credential.value, ofCall)),
  };
}

function send(
  deps: PlatformDeps,
  app: App,
  { value }: Credential,
  { path, rid }: { readonly path: string; readonly rid: string },
): Promise<UpstreamAnswer> {
  const platform = platformOf(app.platform);
  const query = { [platform.tokenParameter]: value.reveal() };
  const request = { method: 'POST', path, query, json: { rid } } as const;
  return deps.upstream.send(app, platform, request, AbortSignal.timeout(TIMEOUT_MS));
}

function readRequest(request: unknown, masked: (text: string) => string): PlatformRecord['request'] {
  if (typeof request !== 'object' || request === null) {
    throw new BridgeError(
      'UPSTREAM_UNREACHABLE',
      'the platform told nothing of the call, and no reason either',
    );
  }
  const fields = Object.entries(request).map(([name, told]) => [
    name,
    typeof told === 'string' ? masked(told) : told,
  ]);
  return Object.fromEntries(fields);
}
