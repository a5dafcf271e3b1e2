import { isLoopback } from '../access/addresses.ts';
import type { ConfigPath } from './faults.ts';

type Item = Readonly<Record<string, unknown>>;
type Finding = readonly [path: ConfigPath, message: string];

/** What does not go with `follow`, by the path of the setting. */
export interface FollowFindings {
  readonly faults: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Checks what may not stand beside `follow`. It takes the file before the schema has passed. */
export function checkFollow(config: Item, follow: Item, apps: readonly Item[]): FollowFindings {
  const faults: Finding[] = apps.flatMap((app, index) =>
    'secret' in app ? [[['apps', index, 'secret'], SECRET_ADVICE] satisfies Finding] : [],
  );
  const warnings: Finding[] = [];
  if ('upstream' in config) faults.push([['upstream'], UPSTREAM_ADVICE]);
  if ('schedule' in config) warnings.push([['schedule'], 'does nothing: the bridge that is followed renews']);
  const gateway = typeof follow['gateway'] === 'string' ? URL.parse(follow['gateway']) : null;
  if (gateway?.protocol === 'http:') {
    if ('ca' in follow)
      faults.push([['follow', 'ca'], 'does nothing with http; write follow.gateway with https']);
    if (!isLoopback(gateway.hostname))
      warnings.push([['follow', 'gateway'], 'http sends follow.key over the network unencrypted']);
  }
  return { faults, warnings };
}

const SECRET_ADVICE =
  'must go: this bridge follows another, which holds the secret. Take it off this machine too';

const UPSTREAM_ADVICE =
  'must go: this bridge follows another and never asks the platform itself; all calls go to follow.gateway';
