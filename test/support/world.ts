import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { KeyFormat } from '../../src/credentials/keys.ts';
import { type Credentials, createCredentials } from '../../src/credentials/open.ts';
import type { AuthorityEvent } from '../../src/credentials/refresh.ts';
import type { UserFailure } from '../../src/credentials/user-exchange.ts';
import type { App, UpstreamRequest } from '../../src/platforms/platform.ts';
import { createUpstream, type Upstream } from '../../src/platforms/upstream.ts';
import { type AccountOptions, type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { createSealer, newSealKey, sealStore } from '../../src/stores/sealing.ts';
import { openSqliteStore } from '../../src/stores/sqlite.ts';
import type { Store } from '../../src/stores/store.ts';
import { type KeptLog, keptLog } from './canary.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { seededRandom, temporaryFolder } from './temporary.ts';

/** One process of the bridge: a store connection and an authority of its own. */
export interface Node {
  readonly store: Store;
  readonly authority: Credentials['authority'];
  readonly values: Credentials['values'];
  readonly sessions: Credentials['sessions'];
  readonly log: KeptLog;
  readonly events: readonly AuthorityEvent[];
  readonly userFailures: readonly UserFailure[];
  /** What this node sent to the platform, in order. */
  readonly sent: readonly UpstreamRequest[];
}

export interface NodeOptions {
  readonly keyFormat?: KeyFormat;
  /** Puts something between the authority and its store, such as a store that fails. */
  readonly through?: (store: Store) => Store;
  /** Puts something between the authority and the platform. */
  readonly wire?: (upstream: Upstream) => Upstream;
}

/** The platform, a clock and a database file that any number of nodes share. */
export interface World {
  readonly clock: ManualClock;
  readonly platform: Simulator;
  readonly databasePath: string;
  /** Secrets of all accounts, for canary tests. */
  readonly secrets: readonly string[];
  node(options?: NodeOptions): Promise<Node>;
  nodes(count: number): Promise<readonly Node[]>;
  /** A path to the platform over a real socket, which time on the clock waits for. */
  upstream(): Upstream;
}

export const MP = 'wx00000000000000a1';
export const OA = 'wx00000000000000b2';

const ACCOUNTS: readonly AccountOptions[] = [
  { appid: MP, secret: 'canary-secret-of-the-mini-program', type: 'mp' },
  { appid: OA, secret: 'canary-secret-of-the-official-account', type: 'oa' },
];

/** An app as configured, with the secret its simulated account has unless told otherwise. */
export function appOf(appid: string, change: Partial<App> = {}): App {
  const account = ACCOUNTS.find(each => each.appid === appid);
  return {
    name: `app-${appid.slice(-2)}`,
    platform: account?.type === 'oa' ? 'weixin-h5' : 'weixin-mp',
    appid,
    secret: new Secret(account?.secret ?? `secret-of-${appid}`),
    managed: true,
    dcloudAppid: undefined,
    default: false,
    tokenMode: 'stable',
    renews: ['access-token'],
    ...change,
  };
}

const same = <T>(value: T): T => value;

/** Starts a simulated platform on a port of its own and gives nodes a database file to share. */
export async function createWorld(accounts: readonly AccountOptions[] = ACCOUNTS): Promise<World> {
  const clock = manualClock();
  const platform = await startSimulator({
    accounts: [...accounts],
    now: clock.now,
    // A call that sleeps at the platform is under way, but it is time itself that it waits for.
    sleep: (ms, signal) => clock.outside(() => clock.sleep(ms, signal)),
  });
  const databasePath = join(temporaryFolder(), 'bridge.db');
  const sealKey = new Secret(newSealKey());
  onTestFinished(() => platform.close());
  let nodes = 0;

  function upstream(): Upstream {
    const real = createUpstream({
      origins: () => ({ weixin: platform.origin, qq: platform.origin, qqConnect: platform.origin }),
    });
    onTestFinished(() => real.close());
    return { ...real, send: (...call) => clock.during(() => real.send(...call)) };
  }

  const world: World = {
    clock,
    platform,
    databasePath,
    secrets: accounts.map(account => account.secret),
    upstream,
    async nodes(count) {
      const opened: Node[] = [];
      while (opened.length < count) opened.push(await world.node());
      return opened;
    },
    async node({ keyFormat = 'appid', through = same, wire = same }: NodeOptions = {}) {
      nodes += 1;
      const number = nodes;
      const random = seededRandom(number);
      const opened = await openSqliteStore({ path: databasePath, clock, random });
      onTestFinished(() => opened.close());
      const store = through(sealStore(opened, createSealer([sealKey])));
      const log = keptLog();
      const events: AuthorityEvent[] = [];
      const userFailures: UserFailure[] = [];
      const sent: UpstreamRequest[] = [];
      const way = upstream();
      let holders = 0;
      const { authority, values, sessions } = createCredentials({
        store,
        upstream: wire({
          ...way,
          send(app, on, request, signal) {
            sent.push(request);
            return way.send(app, on, request, signal);
          },
        }),
        clock,
        random,
        newHolder() {
          holders += 1;
          return `node-${number}-holder-${holders}`;
        },
        log,
        keyFormat,
        onEvent: event => events.push(event),
        onUserFailure: failure => userFailures.push(failure),
      });
      return { store, authority, values, sessions, log, events, userFailures, sent };
    },
  };
  return world;
}
