import { randomBytes } from 'node:crypto';
import { outcomeOf } from '../access/audit.ts';
import { createAuditLog } from '../access/audit-log.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { asBridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { loadConfig } from '../config/load.ts';
import { createAppDirectory } from '../credentials/apps.ts';
import { type OpenCredentials, openCredentials } from '../credentials/open.ts';
import { type AuditedWork, auditedTrial, auditedWork } from './audit.ts';
import { methodFor } from './methods.ts';
import type { Backend, Detail } from './operation.ts';
import { perform } from './perform.ts';
import { resolve } from './resolve.ts';

/** What a bridge inside this process is opened with. */
export interface EmbeddedBackendOptions {
  /** The configuration file. */
  readonly config: string;
  /** What `${env:NAME}` in it refers to. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Names this process among those that share the database, such as `host:pid`. */
  readonly instance: string;
  /** Name and version of the program. */
  readonly version: string;
  readonly log: Log;
  readonly clock?: Clock | undefined;
  /** A number in [0, 1), for jitter. */
  readonly random?: (() => number) | undefined;
}

/**
 * Opens a bridge inside this process: configuration, store and authority, without listeners and without
 * renewal in the background. Any number of processes may do so with the same database, beside running
 * bridges too; leases in it keep them from asking the platform for the same thing. Throws BridgeError when
 * the configuration, the store or the seal key cannot be used.
 */
export async function openEmbedded(options: EmbeddedBackendOptions): Promise<Backend> {
  const { config, env, instance, version, log, clock = systemClock, random = Math.random } = options;
  const { settings } = loadConfig({ path: config, env });
  const apps = createAppDirectory(settings.apps);
  const credentials: OpenCredentials = await openCredentials({
    storage: settings.storage,
    follows: settings.follow !== undefined,
    origins: () => settings.upstream,
    clock,
    random,
    log,
    instance,
  });
  const now = (): number => clock.now();
  const audit = createAuditLog({
    table: credentials.store.audit,
    node: instance,
    version,
    retention: () => settings.audit,
    clock,
    randomHex: bytes => randomBytes(bytes).toString('hex'),
    log,
  });
  const byMe = (work: AuditedWork) => ({ ...work, actor: `embedded:${instance}` });
  return {
    async perform(operation) {
      const ref = resolve(apps, operation);
      let detail: Detail;
      try {
        detail = await perform({ values: credentials.values, now }, ref, operation);
      } catch (thrown) {
        const outcome = outcomeOf(asBridgeError(thrown));
        audit.note(byMe(auditedTrial(methodFor(operation), ref, operation, outcome)));
        throw thrown;
      }
      const event = byMe(auditedWork(ref, operation, detail));
      if (operation.verb === 'get') audit.note(event);
      else await audit.record(event);
      const { platform, appid } = ref.app;
      // A copy: what is stored may be kept in memory, and the caller may change what it is given.
      return { app: { platform, appid }, detail: structuredClone(detail) };
    },
    async close() {
      await audit.close();
      await credentials.close();
    },
  };
}
