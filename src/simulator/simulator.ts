import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from './accounts.ts';
import { OptionError } from './checks.ts';
import type { SimulatorClock } from './clock.ts';
import { CONTROL_PREFIX, control } from './control.ts';
import type { AccountCounters, SimulatorCounters } from './counters.ts';
import { createDispatch } from './dispatch.ts';
import type { ActiveFault, FaultRule } from './faults.ts';
import { createHttpServer } from './http.ts';
import {
  type AccountChange,
  type AccountOptions,
  readAccount,
  readOptions,
  type SimulatorOptions,
} from './options.ts';
import { createPlatform } from './platform.ts';
import { type SimulatorState, stateOf } from './state.ts';
import type { SlotKind } from './token-slots.ts';
import type { OpenData } from './users/open-data.ts';
import {
  type CodeOptions,
  changeUser,
  type IssuedCode,
  issueCode,
  type LatestUserKey,
  type LatestUserKeyOptions,
  latestUserKey,
  makeOpenData,
  type OpenDataOptions,
  type UserChange,
} from './users/user-side.ts';
import { type UserView, viewOfUser } from './users/view.ts';
import { viewOfCounters } from './views.ts';

/** What happens on the users' side. Each throws TypeError for options that make no sense. */
export interface SimulatorUsers {
  /** Gives the user's client a one-shot code, as wx.login or an authorization page does. */
  code(appid: string, options: CodeOptions): IssuedCode;
  /** Gives a mini program data under its user's session_key, as wx.getUserInfo does. */
  openData(appid: string, options: OpenDataOptions): OpenData;
  /** Gives a mini program its user's newest encrypt key, as getLatestUserKey does. */
  latestUserKey(appid: string, options: LatestUserKeyOptions): LatestUserKey;
  /** Changes a user; answers what it is then. */
  change(appid: string, options: UserChange): UserView;
}

/** A running simulator. */
export interface Simulator {
  /** Such as `http://127.0.0.1:7290`. */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  readonly state: SimulatorState;
  readonly clock: SimulatorClock;
  readonly users: SimulatorUsers;
  readonly faults: {
    /** Puts a fault in force; answers its id. Throws TypeError when the rule makes no sense. */
    add(rule: FaultRule): string;
    /** Ends one fault, or all; answers how many ended. */
    clear(id?: string): number;
    list(): ActiveFault[];
  };
  /** Adds an account. Throws TypeError when there is one already or an option is wrong. */
  addAccount(account: AccountOptions): void;
  /** Changes settings of an account; its tokens and counters stay. Throws TypeError when there is none. */
  setAccount(appid: string, change: AccountChange): void;
  /** Revokes the working tokens of a slot (default: all), which then get 40001. Answers how many died. */
  revoke(appid: string, slot?: SlotKind | 'all'): number;
  /** What was asked and answered since the start or the last reset. A copy. */
  counters(): SimulatorCounters;
  /** The same for one account. Throws TypeError when there is none. */
  counters(appid: string): AccountCounters;
  /** Puts everything back as it was right after the start: accounts, tokens, counters, faults, clock. */
  reset(): void;
  /** Stops listening and closes all connections. */
  close(): Promise<void>;
}

const sleepByTimer = async (ms: number, signal: AbortSignal): Promise<void> => {
  await delay(ms, undefined, { signal });
};

/**
 * Starts a stand-in for api.weixin.qq.com, api.q.qq.com and graph.qq.com on a port of its own.
 *
 * Throws TypeError naming the option that is wrong; rejects when the address cannot be listened on.
 * @example
 * const wechat = await startSimulator({ accounts: [{ appid: 'wx01', secret: 's', type: 'mp' }] });
 * await fetch(`${wechat.origin}/cgi-bin/token?grant_type=client_credential&appid=wx01&secret=s`);
 * await wechat.close();
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = readOptions(options);
  const platform = createPlatform(settings, options);
  const closing = new AbortController();
  const { signal } = closing;
  const dispatch = createDispatch({ platform, sleep: options.sleep ?? sleepByTimer, signal });
  const server = createHttpServer({
    now: () => platform.clock.now(),
    trustForwardedFor: settings.trustForwardedFor,
    async onRequest(incoming, reply) {
      if (incoming.path === CONTROL_PREFIX || incoming.path.startsWith(`${CONTROL_PREFIX}/`)) {
        return reply.send(control(incoming, platform));
      }
      try {
        await dispatch(incoming, reply);
      } catch (error) {
        // Whoever sleeps for a latency fault is woken by close().
        if (!signal.aborted) throw error;
        reply.destroy();
      }
    },
  });

  server.listen(settings.port, settings.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { host } = settings;

  function accountOf(appid: string): Account {
    const account = platform.accounts.get(appid);
    if (account === undefined) throw new OptionError(`appid ${appid} is no account of the simulator`);
    return account;
  }

  function counters(): SimulatorCounters;
  function counters(appid: string): AccountCounters;
  function counters(appid?: string): SimulatorCounters | AccountCounters {
    return appid === undefined ? viewOfCounters(platform) : structuredClone(accountOf(appid).counters);
  }

  let closed: Promise<void> | undefined;
  return {
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    host,
    port,
    state: stateOf(platform),
    clock: {
      now: () => platform.clock.now(),
      advance: ms => platform.clock.advance(ms),
      set: ms => platform.clock.set(ms),
    },
    users: {
      code: (appid, options) => issueCode(accountOf(appid), options, platform.clock.now()),
      openData: (appid, options) =>
        makeOpenData(accountOf(appid), options, platform.clock.now(), platform.derived),
      latestUserKey: (appid, options) => latestUserKey(accountOf(appid), options, platform.clock.now()),
      change(appid, options) {
        const account = accountOf(appid);
        const now = platform.clock.now();
        return viewOfUser(account.users, changeUser(account, options, now), now);
      },
    },
    faults: {
      add: rule => platform.faults.add(rule),
      clear: id => platform.faults.clear(id),
      list: () => platform.faults.list(),
    },
    addAccount(account) {
      const read = readAccount(account, 'account');
      if (platform.accounts.get(read.appid) !== undefined) {
        throw new OptionError(`account.appid ${read.appid} exists already; setAccount changes it`);
      }
      platform.accounts.put(read);
    },
    setAccount(appid, change) {
      platform.accounts.put(readAccount(change, 'change', accountOf(appid).settings));
    },
    revoke: (appid, slot = 'all') => platform.accounts.revoke(accountOf(appid), slot, platform.clock.now()),
    counters,
    reset: () => platform.reset(),
    close() {
      closed ??= new Promise<void>(resolve => {
        closing.abort(new Error('the simulator is closing'));
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}
