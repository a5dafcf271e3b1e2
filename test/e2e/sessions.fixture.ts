import { expect, onTestFinished } from 'vitest';
import { type Client, ClientError, type ClientOptions, createClient } from '../../src/client/client.ts';
import type { Simulator } from '../../src/simulator/index.ts';
import { ACCOUNTS, SHOP, startTestBridge, type TestBridge } from '../support/bridge.ts';

/** Longer than the simulated platform keeps a session key over repeated logins. */
export const LATER_MS = 60 * 60_000;

/** A bridge before the simulated platform, where nothing secret may be seen. */
export interface Stage {
  readonly running: TestBridge;
  readonly simulator: Simulator;
  /** Everyone on this machine, who may do all. */
  readonly bridge: Client;
  /** A client with keys of its own. */
  client(keys: Pick<ClientOptions, 'adminKey' | 'callerKey'>): Client;
  /** Logs a user of the mini program in, whose session key and code must then be seen nowhere. */
  logIn(user: string, bridge?: Client): Promise<string>;
  /** The session key the platform has of a user, which must be seen nowhere. */
  sessionKey(openid: string, appid?: string): string;
  /** Values that must be in no answer and no log. */
  hide(...values: readonly string[]): void;
  /** Values that answers are made of, but no log. */
  keepOutOfLogs(...values: readonly string[]): void;
  /** How often the platform was asked. */
  callsOf(path: string, appid?: string): number;
}

/** Starts a stage. When the test is over, every answer and log line is searched for what was to be hidden. */
export async function openStage(options: Parameters<typeof startTestBridge>[0] = {}): Promise<Stage> {
  const running = await startTestBridge(options);
  const { simulator } = running;
  const answers: string[] = [];
  const hidden = new Set<string>(ACCOUNTS.map(({ secret }) => secret));
  const unlogged = new Set<string>();

  onTestFinished(async () => {
    for (const { appid } of ACCOUNTS) for (const token of simulator.state.tokens(appid)) hidden.add(token);
    await running.close();
    const logged = running.logs.join('\n');
    const answered = answers.join('\n');
    for (const value of hidden) expect(answered).not.toContain(value);
    for (const value of [...hidden, ...unlogged]) expect(logged).not.toContain(value);
  });

  const client: Stage['client'] = keys =>
    createClient({
      url: running.control,
      ...keys,
      async fetch(input, init) {
        const answer = await fetch(input, init);
        answers.push(await answer.clone().text(), JSON.stringify([...answer.headers]));
        return answer;
      },
    });

  const stage: Stage = {
    running,
    simulator,
    get bridge() {
      return client({});
    },
    client,
    async logIn(user, bridge = client({})) {
      const { code } = simulator.users.code(SHOP.appid, { user });
      const { openid } = await bridge.loginUser({ appid: 'shop', code });
      stage.hide(code, stage.sessionKey(openid));
      stage.keepOutOfLogs(openid);
      return openid;
    },
    sessionKey(openid, appid = SHOP.appid) {
      const key = simulator.state.sessionKey(appid, openid);
      if (key === undefined) throw new Error(`the platform has no session of ${openid}`);
      hidden.add(key);
      return key;
    },
    hide(...values) {
      for (const value of values) hidden.add(value);
    },
    keepOutOfLogs(...values) {
      for (const value of values) unlogged.add(value);
    },
    callsOf: (path, appid = SHOP.appid) => simulator.counters(appid).calls[path] ?? 0,
  };
  return stage;
}

/** How a request was refused; fails when it was not. */
export async function refusalOf(pending: Promise<unknown>): Promise<ClientError> {
  const error = await pending.then(
    () => undefined,
    caught => caught,
  );
  if (error instanceof ClientError) return error;
  throw new Error(`it was not refused: ${String(error)}`);
}
