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
import { createPlatform, type Platform } from './platform.ts';
import type { RidRecord } from './rid.ts';
import type { TicketType } from './tickets.ts';
import { type SlotKind, validTokens, verdictOn } from './token-slots.ts';
import {
  type AccountView,
  type SimulatorView,
  viewOfAccount,
  viewOfCounters,
  viewOfPlatform,
} from './views.ts';

/** A look inside, for tests. Nothing here changes anything or counts as a call. */
export interface SimulatorState {
  /** The same as GET /__simulator/state. */
  view(): SimulatorView;
  account(appid: string): AccountView | undefined;
  /** The token a slot holds, if it works now. In clear: it is for comparing in tests. */
  token(appid: string, slot: SlotKind): string | undefined;
  /** All tokens of the account that work now, newest first within their slot. */
  tokens(appid: string, slot?: SlotKind): string[];
  /** What a business API would say of the token now: 0, 40001 or 42001. */
  verdict(token: string): 0 | 40001 | 42001;
  isTicketValid(appid: string, type: TicketType, ticket: string): boolean;
  /** A call from the rid log, whoever made it. */
  rid(rid: string): RidRecord | undefined;
}

/** A running simulator. */
export interface Simulator {
  /** Such as `http://127.0.0.1:7290`. */
  readonly origin: string;
  readonly host: string;
  readonly port: number;
  readonly state: SimulatorState;
  readonly clock: SimulatorClock;
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

function stateOf(platform: Platform): SimulatorState {
  const clock = { now: () => platform.clock.now() };
  const slotsOf = (appid: string) => platform.accounts.get(appid)?.slots;
  return {
    view: () => viewOfPlatform(platform),
    account(appid) {
      const account = platform.accounts.get(appid);
      return account && viewOfAccount(account, platform.clock.now());
    },
    token(appid, slot) {
      const current = slotsOf(appid)?.[slot].current;
      return current !== undefined && verdictOn(current, clock.now()) === 0 ? current.value : undefined;
    },
    tokens(appid, slot) {
      const slots = slotsOf(appid);
      if (slots === undefined) return [];
      const chosen = slot === undefined ? [slots.classic, slots.stable] : [slots[slot]];
      return chosen.flatMap(one => validTokens(one, clock.now())).map(token => token.value);
    },
    verdict(token) {
      const issued = platform.accounts.tokenOf(token);
      return issued === undefined ? 40001 : verdictOn(issued, clock.now());
    },
    isTicketValid: (appid, type, ticket) =>
      platform.accounts.get(appid)?.tickets.isValid(type, ticket, clock.now()) ?? false,
    rid: rid => platform.rids.get(rid),
  };
}

const sleepByTimer = async (ms: number, signal: AbortSignal): Promise<void> => {
  await delay(ms, undefined, { signal });
};

/**
 * Starts a stand-in for api.weixin.qq.com that listens on a port of its own.
 *
 * Throws TypeError naming the option that is wrong; rejects when the address cannot be listened on.
 * @example
 * const wechat = await startSimulator({ accounts: [{ appid: 'wx01', secret: 's', type: 'mp' }] });
 * await fetch(`${wechat.origin}/cgi-bin/token?grant_type=client_credential&appid=wx01&secret=s`);
 * await wechat.close();
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = readOptions(options);
  const platform = createPlatform(settings, options.now);
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
