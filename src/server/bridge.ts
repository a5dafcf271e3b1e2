import { randomUUID } from 'node:crypto';
import { createAccess } from '../access/access.ts';
import { createCallerDirectory, mayListenOn } from '../access/callers.ts';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ListenAddress, Settings } from '../config/settings.ts';
import { createAppDirectory } from '../credentials/apps.ts';
import { createAuthority } from '../credentials/authority.ts';
import { createRecognition } from '../credentials/recognition.ts';
import { createRenewal } from '../credentials/renewal.ts';
import { createGateway } from '../gateway/gateway.ts';
import { listenHttp } from '../gateway/http-listener.ts';
import { PLATFORMS } from '../platforms/platforms.ts';
import { createUpstream } from '../platforms/upstream.ts';
import { createSealer, sealStore } from '../stores/sealing.ts';
import { openSqliteStore } from '../stores/sqlite.ts';
import { openAdminKeys } from './admin-keys.ts';
import { createCallLog } from './call-log.ts';
import { createControl } from './control.ts';
import { listenGatewayTls } from './gateway-tls.ts';
import { livez, readyz } from './health.ts';
import { createProcessProbe } from './metrics/process.ts';
import { createMetrics, readMetrics } from './metrics.ts';
import { createRandomHex } from './random-hex.ts';
import { listApps } from './v1/apps.ts';
import { listCallers, revokeTokens } from './v1/callers.ts';
import { getCall } from './v1/calls/get.ts';
import { listCalls } from './v1/calls/list.ts';
import { listCredentials } from './v1/credentials/list.ts';
import { reportCredential } from './v1/credentials/report.ts';
import { rotateCredential } from './v1/credentials/rotate.ts';
import { listUsage } from './v1/usage.ts';
import { createRevocations, openVirtualTokens } from './virtual-tokens.ts';

/** How long calls under way may finish after the word to stop. */
const CLOSE_TIMEOUT_MS = 10_000;

/** A lease's holder has 64 characters in the store, 37 of them taken by what makes it unique. */
const INSTANCE_LENGTH = 27;

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
  /** Finishes what is under way, then stops. */
  close(): Promise<void>;
}

/**
 * Starts a bridge: opens the store, wires every part to it and listens. Throws BridgeError with a hint
 * when the store, the seal key or an address cannot be used; nothing is left running then.
 */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const { clock, log, instance, version, tmpDir } = options;
  let settings = options.settings;
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse())
      await close().catch(error => log.warn({ err: error }, 'closing failed'));
  };

  try {
    const random = Math.random;
    const { database, sealKeys, keyFormat } = settings.storage;
    const sealer = createSealer(sealKeys);
    const store = sealStore(await openSqliteStore({ path: database.path, clock, random }), sealer);
    closers.push(() => store.close());

    const upstream = createUpstream({ origins: () => settings.upstream });
    closers.push(() => upstream.close());
    const authority = createAuthority({
      store,
      upstream,
      clock,
      random,
      newHolder: () => `${instance.slice(0, INSTANCE_LENGTH)}/${randomUUID()}`,
      log,
      keyFormat,
      onEvent: event => metrics.onEvent(event),
    });
    closers.push(() => authority.idle());

    const apps = createAppDirectory(settings.apps);
    const renewal = createRenewal({ authority, apps, store, clock, log });
    const callers = createCallerDirectory(settings.callers);
    const access = createAccess({ ...settings.openapi, callers });
    const { admin, fresh } = await openAdminKeys(store, settings.admin.keyHashes);
    const now = (): number => clock.now();

    const revocations = createRevocations(store, now);
    const tokens = {
      virtual: await openVirtualTokens(store, sealer, now),
      isRevoked: revocations.isRevoked,
      recognize: createRecognition({ store, apps, now }),
    };

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
      version,
    });
    closers.push(async () => metrics.close());
    const counted = metrics.counting(authority);

    const handlerDeps = { apps, authority: counted, now };
    const callLog = createCallLog({ store, settings: () => settings.callLog, clock, log });
    closers.push(() => callLog.close());
    const callDeps = { ...handlerDeps, calls: store.calls, callLog, upstream };

    const control = createControl({
      handlers: {
        livez,
        readyz: readyz({ store }),
        metrics: readMetrics(metrics),
        listApps: listApps(handlerDeps),
        listCredentials: listCredentials(handlerDeps),
        reportCredential: reportCredential(handlerDeps),
        rotateCredential: rotateCredential(handlerDeps),
        listCalls: listCalls(callDeps),
        getCall: getCall(callDeps),
        listUsage: listUsage({ usage: store.usage, callLog, apps, now }),
        listCallers: listCallers({ callers }),
        revokeTokens: revokeTokens({ callers, revocations, now }),
      },
      isOpen: route => route === 'metrics' && settings.metrics.public,
      admin,
      callers,
      version,
      newRequestId: randomUUID,
      log,
    });
    closers.push(() => control.close());
    await listening('listen.control', settings.listen.control, address => control.listen(address));

    const gateway = createGateway({
      platforms: PLATFORMS,
      apps,
      access,
      authority: counted,
      tokens,
      takeBudget: (app, rule, operator) =>
        authority.budgets.require(app, rule, operator ? 'operator' : 'anyone'),
      settings: () => settings.gateway,
      clock,
      randomHex: createRandomHex(),
      log,
      onBegin: metrics.onBegin,
      onCall(record) {
        metrics.onCall(record);
        callLog.note(record);
      },
      tmpDir,
    });
    closers.push(() => gateway.close());
    // Known to be closed before the first one listens: the second may fail to.
    const listeners: { close(timeoutMs: number): Promise<void> }[] = [];
    closers.push(() => Promise.all(listeners.map(listener => listener.close(CLOSE_TIMEOUT_MS))));
    const gatewayAddress = settings.listen.gateway;
    const listener =
      gatewayAddress &&
      (await listening('listen.gateway', gatewayAddress, address => {
        refuseOpenRelay(address, settings);
        return listenHttp({ gateway, clock, log, ...address });
      }));
    if (listener !== undefined) listeners.push(listener);
    const { certificateFile } = settings;
    const tlsAddress = settings.listen.gatewayTls;
    const tlsListener =
      tlsAddress &&
      (await listening('listen.gatewayTls', tlsAddress, address => {
        refuseOpenRelay(address, settings);
        return listenGatewayTls({ store, sealer, gateway, clock, log, address, certificateFile });
      }));
    if (tlsListener !== undefined) listeners.push(tlsListener);

    renewal.start();
    callLog.start();
    closers.push(() => renewal.stop());

    return {
      control: { host: settings.listen.control.host, port: portOf(control.server.address()) },
      gateway: listener && { host: listener.address, port: listener.port },
      gatewayTls: tlsListener && { host: tlsListener.address, port: tlsListener.port },
      certificateFile: tlsListener && certificateFile,
      freshAdminKey: fresh,
      apply(next) {
        for (const address of [next.listen.gateway, next.listen.gatewayTls])
          if (address !== undefined) refuseOpenRelay(address, next);
        callers.replace(next.callers);
        access.replace(next.openapi);
        apps.replace(next.apps);
        admin.replace(next.admin.keyHashes);
        settings = next;
        metrics.reload();
        renewal.replan();
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
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
