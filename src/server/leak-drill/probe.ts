import { type Clock, deadline } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import type { Secret } from '../../base/secret.ts';
import type { App } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import type { Upstream } from '../../platforms/upstream.ts';

const ANSWER_TIMEOUT_MS = 8000;

/**
 * What the platform makes of a token: `refused` by an errcode that says so, or `taken`; undefined when it
 * cannot be asked, or its answer tells neither. One call, on a path that changes nothing. Never throws.
 */
export type TokenProbe = (app: App, token: Secret) => Promise<'refused' | 'taken' | undefined>;

/** Makes it over the way that token calls take. */
export function createTokenProbe({
  upstream,
  clock,
}: {
  readonly upstream: Pick<Upstream, 'send'>;
  readonly clock: Clock;
}): TokenProbe {
  return async (app, token) => {
    const platform = platformOf(app.platform);
    const { tokenProbePath: path, tokenParameter } = platform;
    if (path === undefined) return undefined;
    const limit = deadline(
      clock,
      ANSWER_TIMEOUT_MS,
      () => new BridgeError('UPSTREAM_TIMEOUT', 'the platform did not answer a probe'),
    );
    try {
      const query = { [tokenParameter]: token.reveal() };
      const answer = await upstream.send(app, platform, { method: 'GET', path, query }, limit.signal);
      if (answer.ok) return 'taken';
      return answer.refusal.rule.class === 'token' ? 'refused' : undefined;
    } catch {
      return undefined;
    } finally {
      limit.clear();
    }
  };
}
