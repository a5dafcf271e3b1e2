import { randomUUID } from 'node:crypto';
import { createAccess } from '../access/access.ts';
import { outcomeOf } from '../access/audit.ts';
import { createAuditLog } from '../access/audit-log.ts';
import { expiryWarnings } from '../access/caller-expiry.ts';
import { createCallerDirectory, mayListenOn } from '../access/callers.ts';
import { openKeyRevocations } from '../access/key-revocations.ts';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ListenAddress, Settings } from '../config/settings.ts';
import { createAppDirectory } from '../credentials/apps.ts';
import { createHousekeeping } from '../credentials/housekeeping.ts';
import { openCredentials } from '../credentials/open.ts';
import { createRecognition } from '../credentials/recognition.ts';
import { createRenewal } from '../credentials/renewal.ts';
import { createGateway } from '../gateway/gateway.ts';
import { listenHttp } from '../gateway/http-listener.ts';
import { PLATFORMS } from '../platforms/platforms.ts';
import { openAdminKeys } from './admin-keys.ts';
import { createCallLog } from './call-log.ts';
import { createControl } from './control.ts';
import { createControlEnding } from './control-listener.ts';
import { listenGatewayTls } from './gateway-tls.ts';
import { livez, readyz } from './health.ts';
import { createLeakDrills } from './leak-drill/drills.ts';
import { createTokenProbe } from './leak-drill/probe.ts';
import { createProcessProbe } from './metrics/process.ts';
import { createMetrics, readMetrics } from './metrics.ts';
import { createRandomHex } from './random-hex.ts';
import { createShutdown } from './shutdown.ts';
import { createStoreReplayGuard } from './uni-open-bridge/replay-guard.ts';
import { createUniOpenBridge } from './uni-open-bridge/uni-open-bridge.ts';
import { listApps } from './v1/apps.ts';
import { auditedHandlers } from './v1/audit/audited.ts';
import { listAudit, listAuditHeads } from './v1/audit/list.ts';
import { listCallers, revokeKey, revokeTokens } from './v1/callers.ts';
import { getCall } from './v1/calls/get.ts';
import { listCalls } from './v1/calls/list.ts';
import { listCredentials } from './v1/credentials/list.ts';
import { reportCredential } from './v1/credentials/report.ts';
import { rotateCredential } from './v1/credentials/rotate.ts';
import { getLeakDrill, startLeakDrill } from './v1/leak-drill/handlers.ts';
import { secretlessHandlers } from './v1/secretless.ts';
import { listUsage } from './v1/usage.ts';
import { createRevocations, openVirtualTokens } from './virtual-tokens.ts';

/** What a bridge is started with. */
export interface BridgeOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  /** Names this process among those that share the database, such as `host:pid`. */
  readonly instance: string;
  /** Version shown in the OpenAPI document. */
  readonly version: string;
  /** Where request bodies kept for a replay go when they outgrow memory. */
  readonly tmpDir: string;
}

/** A running bridge: control API, gateway and background renewal. */
export interface Bridge {
  readonly control: ListenAddress;
  readonly gateway: ListenAddress | undefined;
  readonly gatewayTls: ListenAddress | undefined;
  /** Where the CA certificate is that callers over HTTPS must trust; undefined without HTTPS. */
  readonly certificateFile: string | undefined;
  /** The admin key in clear, only if this start made it. */
  readonly freshAdminKey: string | undefined;
  /** Takes new settings at once: apps, callers, allow-list, limits, upstream. Throws, changing nothing, when they cannot be used. */
  apply(settings: Settings): void;
  /**
   * Gets ready to seal with other keys; what it resolves to puts them to use, after `apply`. Throws, changing
   * nothing, when they do not open what is stored.
   */
  prepareSealKeys(keys: Settings['storage']['sealKeys']): Promise<() => void>;
  /** Serves on for `shutdown.drainMs`, finishes what is under way, then stops. */
  close(): Promise<void>;
}

/**
 * Starts a bridge: opens the store, wires every part to it and listens. Throws BridgeError with a hint
 * when the store, the seal key or an address cannot be used; nothing is left running then.
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const { clock, log, instance, version, tmpDir } = options;
  let settings = options.settings;
  const follows = settings.follow !== undefined;
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse())
      await close().catch(error => log.warn({ err: error }, 'closing failed'));
  };

  try {
    const credentials = await openCredentials({
      storage: settings.storage,
      follows,
      origins: () => settings.upstream,
      clock,
      random: Math.random,
      log,
      instance,
      onEvent: event => metrics.onEvent(event),
      onUserFailure: failure => metrics.onUserFailure(failure),
    });
    closers.push(() => credentials.close());
    const { store, sealer, upstream, authority, newHolder } = credentials;

    const apps = createAppDirectory(settings.apps);
    const randomHex = createRandomHex();
    const auditLog = createAuditLog({
      table: store.audit,
      node: instance,
      version: `open-bridge ${version}`,
      retention: () => settings.audit,
      clock,
      randomHex,
      log,
    });
    closers.push(() => auditLog.close());
    const renewal = createRenewal({ authority, apps, store, clock, random: Math.random, log });
    const housekeeping = createHousekeeping({ store, clock, log });
    const revokedKeys = await openKeyRevocations({ store, clock, newHolder, log });
    closers.push(() => revokedKeys.stop());
    const callers = createCallerDirectory(settings.callers, () => clock.now(), revokedKeys.revokedAt);
    const access = createAccess({ ...settings.openapi, callers });
    const { admin, fresh } = await openAdminKeys(store, settings.admin.keyHashes);
    const now = (): number => clock.now();

    const revocations = createRevocations(store, now);
    const tokens = {
      virtual: await openVirtualTokens(store, sealer, now),
      isRevoked: revocations.isRevoked,
      // Tokens that a follower's database may hold are not its own to use.
      recognize: follows ? async () => undefined : createRecognition({ store, apps, now }),
    };

    let followed: string | undefined = follows ? 'not asked yet' : undefined;

    const metrics = createMetrics({
      apps,
      callers,
      authority,
      store,
      platforms: PLATFORMS,
      allow: () => settings.openapi.allow,
      maxApps: () => settings.metrics.maxApps,
      clock,
      stopwatch: () => performance.now(),
      process: createProcessProbe(),
      audit: auditLog,
      version,
    });
    closers.push(async () => metrics.close());
    const counted = metrics.counting(authority);

    const shutdown = createShutdown({ settings: () => settings.shutdown, clock, log });
    const handlerDeps = { apps, authority: counted, now };
    const callLog = createCallLog({ store, settings: () => settings.callLog, clock, log });
    closers.push(() => callLog.close());
    const callDeps = { ...handlerDeps, calls: store.calls, callLog, upstream };

    const drills = createLeakDrills({
      ...{ store, apps, callers, authority: counted, retire: authority.retire, values: authority.values },
      ...{ budgets: authority.budgets, keys: revokedKeys, virtual: revocations, audit: auditLog },
      ...{ probe: createTokenProbe({ upstream, clock }), clock, randomHex, newHolder, log },
    });
    closers.push(() => drills.stop());
    const drillDeps = {
      ...{ ...handlerDeps, drills, callers, budgets: authority.budgets },
      ...{ table: store.audit, auditLog, usage: store.usage, callLog },
    };

    const auditDeps = { table: store.audit, auditLog, apps };
    const handlers = auditedHandlers(
      {
        livez,
        readyz: readyz({ store, shutdown, followed: () => followed }),
        metrics: readMetrics(metrics),
        listApps: listApps(handlerDeps),
        listCredentials: listCredentials(handlerDeps),
        reportCredential: reportCredential(handlerDeps),
        rotateCredential: rotateCredential(handlerDeps),
        listCalls: listCalls(callDeps),
        getCall: getCall(callDeps),
        listUsage: listUsage({ usage: store.usage, callLog, apps, now }),
        listCallers: listCallers({ callers, revokedKeys }),
        revokeTokens: revokeTokens({ callers, revocations, now }),
        revokeKey: revokeKey({ callers, revokedKeys, now }),
        startLeakDrill: startLeakDrill(drillDeps),
        getLeakDrill: getLeakDrill(drillDeps),
        ...secretlessHandlers({ ...handlerDeps, ...credentials, authority: counted, randomHex }),
        listAudit: listAudit(auditDeps),
        listAuditHeads: listAuditHeads(auditDeps),
      },
      { audit: auditLog, apps },
    );
    const control = createControl({
      handlers,
      isOpen: route => route === 'metrics' && settings.metrics.public,
      admin,
      callers,
      onRefusal: ({ route, error, actor, remoteAddress }) =>
        auditLog.note({ action: 'refused', outcome: outcomeOf(error), actor, remoteAddress, detail: route }),
      version,
      uniOpenBridge: {
        prefix: settings.uniOpenBridge.prefix,
        routes: createUniOpenBridge({
          apps,
          values: credentials.values,
          audit: auditLog,
          admin,
          callers,
          ways: () => settings,
          errors: () => settings.uniOpenBridge.errors,
          replays: createStoreReplayGuard(store.ephemeral, now),
          now,
          log,
        }),
      },
      newRequestId: randomUUID,
      log,
    });
    closers.push(() => control.close());
    shutdown.add(createControlEnding(control, clock));
    await listening('listen.control', settings.listen.control, address => control.listen(address));

    const gateway = createGateway({
      platforms: PLATFORMS,
      apps,
      access,
      authority: counted,
      tokens,
      audit: auditLog,
      takeBudget: (app, rule, operator) =>
        authority.budgets.require(app, rule, operator ? 'operator' : 'anyone'),
      settings: () => settings.gateway,
      clock,
      randomHex,
      log,
      onBegin: metrics.onBegin,
      onCall(record) {
        metrics.onCall(record);
        callLog.note(record);
      },
      onFollowed(state) {
        if (state !== followed && state !== 'ok')
          log.warn({ gateway: settings.follow?.gateway }, `the bridge that is followed: ${state}`);
        followed = state;
      },
      tmpDir,
    });
    closers.push(() => gateway.close());
    // Known to be closed before the first one listens: the second may fail to. A renewal under way may take
    // as long as the platform does, so the listeners do not wait for it.
    closers.push(() => Promise.all([shutdown.close(), renewal.stop(), housekeeping.stop()]));
    const gatewayAddress = settings.listen.gateway;
    const listener =
      gatewayAddress &&
      (await listening('listen.gateway', gatewayAddress, address => {
        refuseOpenRelay(address, settings);
        return listenHttp({ gateway, clock, log, ...address });
      }));
    if (listener !== undefined) shutdown.add(listener);
    const { certificateFile } = settings;
    const tlsAddress = settings.listen.gatewayTls;
    const tlsListener =
      tlsAddress &&
      (await listening('listen.gatewayTls', tlsAddress, address => {
        refuseOpenRelay(address, settings);
        return listenGatewayTls({ store, sealer, gateway, clock, log, address, certificateFile });
      }));
    if (tlsListener !== undefined) shutdown.add(tlsListener);

    let closed: Promise<void> | undefined;
    warnOfExpiry(settings, clock, log);
    if (!follows) renewal.start();
    callLog.start();
    auditLog.start();
    housekeeping.start();
    revokedKeys.start();
    if (!follows) drills.start();

    return {
      control: { host: settings.listen.control.host, port: portOf(control.server.address()) },
      gateway: listener && { host: listener.address, port: listener.port },
      gatewayTls: tlsListener && { host: tlsListener.address, port: tlsListener.port },
      certificateFile: tlsListener && certificateFile,
      freshAdminKey: fresh,
      apply(next) {
        refuseOtherRole(follows, next);
        for (const address of [next.listen.gateway, next.listen.gatewayTls])
          if (address !== undefined) refuseOpenRelay(address, next);
        callers.replace(next.callers);
        access.replace(next.openapi);
        apps.replace(next.apps);
        admin.replace(next.admin.keyHashes);
        settings = next;
        warnOfExpiry(next, clock, log);
        metrics.reload();
        renewal.replan();
        auditLog.note({ action: 'reload', outcome: 'done', actor: 'configuration' });
      },
      prepareSealKeys: credentials.prepareSealKeys,
      close() {
        closed ??= shutdown.drain().then(closeAll);
        return closed;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function warnOfExpiry({ callers }: Settings, clock: Clock, log: Log): void {
  for (const warning of expiryWarnings(callers, clock.now())) log.warn({}, warning);
}

/** What holds credentials and what follows are made of different parts; one must not become the other under way. */
function refuseOtherRole(follows: boolean, next: Settings): void {
  if (follows === (next.follow !== undefined)) return;
  throw new BridgeError(
    'CONFIG_INVALID',
    follows
      ? 'a bridge that follows another cannot begin to hold credentials while it runs; start it again'
      : 'a bridge that holds credentials cannot begin to follow another while it runs; start it again',
  );
}

function refuseOpenRelay({ host, port }: ListenAddress, settings: Settings): void {
  if (mayListenOn(host, settings.callers)) return;
  throw new BridgeError(
    'CONFIG_INVALID',
    `the gateway will not listen on ${host}:${port} without callers: anyone who reaches it could use your accounts`,
    {
      hint: 'add at least one caller with a key or an address range under "callers", or listen on 127.0.0.1',
    },
  );
}

async function listening<T>(
  setting: string,
  address: ListenAddress,
  listen: (address: ListenAddress) => Promise<T>,
): Promise<T> {
  try {
    return await listen(address);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
    throw new BridgeError('CONFIG_INVALID', `cannot listen on ${address.host}:${address.port} (${code})`, {
      cause: error,
      hint: `free the port, or set ${setting} to another address in the configuration`,
    });
  }
}

function portOf(address: string | { readonly port: number } | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
