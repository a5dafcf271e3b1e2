import type { Check } from './check.ts';
import { allowList } from './checks/allow-list.ts';
import { apps } from './checks/apps.ts';
import { bridge } from './checks/bridge.ts';
import { callers } from './checks/callers.ts';
import { clock } from './checks/clock.ts';
import { configuration } from './checks/configuration.ts';
import { database } from './checks/database.ts';
import { egress } from './checks/egress.ts';
import { files } from './checks/files.ts';
import { follow } from './checks/follow.ts';
import { listeners } from './checks/listeners.ts';
import { program } from './checks/program.ts';
import { redis } from './checks/redis.ts';
import { s2s } from './checks/s2s.ts';
import { sealKey } from './checks/seal-key.ts';
import { upstreams } from './checks/upstreams.ts';
import { values } from './checks/values.ts';

/** Every check, in the order in which a cause comes before what it causes. */
export const CHECKS: readonly Check[] = [
  configuration,
  files,
  database,
  sealKey,
  redis,
  callers,
  allowList,
  listeners,
  follow,
  upstreams,
  clock,
  s2s,
  values,
  apps,
  egress,
  bridge,
  program,
];
