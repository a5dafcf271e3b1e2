import type { Authority, CallPlatform } from './credentials.ts';
import type { Exchange } from './exchange.ts';

/** Makes the way to send a business call of our own: with the app's token, which is repaired once when it is refused. */
export function createCallPlatform(deps: {
  readonly authority: Pick<Authority, 'get' | 'report'>;
  readonly exchange: Exchange;
}): CallPlatform {
  const { authority, exchange } = deps;
  return async (app, build) => {
    const ref = { app, kind: 'access-token' } as const;
    const { value } = await authority.get(ref);
    const { answer } = await exchange({ app, request: build(value) });
    if (answer.ok || answer.refusal.rule.class !== 'token') return answer;
    const { fingerprint } = value;
    const { errcode } = answer.refusal;
    const repaired = await authority.report(ref, { fingerprint, errcode, observedBy: 'gateway' });
    if (repaired.credential.value.fingerprint === fingerprint) return answer;
    return (await exchange({ app, request: build(repaired.credential.value) })).answer;
  };
}
