import { Agent, request } from 'undici';
import type { Clock } from '../../src/base/clock.ts';
import { APPS, type FaultApp } from './apps.ts';
import type { TokenCheck } from './check-tokens.ts';
import type { WriteCheck, WrittenKey } from './check-writes.ts';
import { createDice, type Dice } from './dice.ts';
import type { Node, Nodes } from './nodes.ts';

/** The platform tells of this path which token it was called with. */
export const ECHO_PATH = '/wxa/getwxadevinfo';
/** A plain business path; faults of the platform's business side strike here. */
export const BUSINESS_PATH = '/cgi-bin/get_api_domain_ip';

/** Longer than the gateway's own limit of 30 s, so that its answer is seen. */
const PATIENCE_MS = 40_000;
/** Pause of a caller whose node is not there or did not answer. */
const AGAIN_MS = 250;

/** Callers that never stop asking. */
export interface Load {
  /** Wakes all callers at once. */
  rush(): void;
  /** How calls ended, by what was asked and how it was answered. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** One gateway call for each app; what came instead of success, or undefined. */
  probe(node: Node): Promise<string | undefined>;
  /** Reads a session key; rejects when it cannot be read. */
  readKey(node: Node, key: WrittenKey): Promise<string | undefined>;
  /** Lets the callers end what they are at; probing and reading go on. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** What came back from a node. */
interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> | null;
}

/** Starts `callers` callers for each slot of nodes, all together asking `perSecond` times a second. */
export function startLoad(options: {
  readonly nodes: Nodes;
  readonly tokens: TokenCheck;
  readonly writes: WriteCheck;
  readonly clock: Clock;
  readonly seed: number;
  readonly callers: number;
  readonly perSecond: number;
}): Load {
  const { nodes, tokens, writes, clock, seed, callers, perSecond } = options;
  const agent = new Agent({ connections: 256, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
  const outcomes = new Map<string, number>();
  const stopping = new AbortController();
  let rushing = new AbortController();

  async function ask(what: string, url: string, body?: unknown): Promise<Answer | undefined> {
    let outcome = 'no answer';
    try {
      const answer = await request(url, {
        dispatcher: agent,
        method: body === undefined ? 'GET' : 'POST',
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
      });
      const read = (await answer.body.json()) as Answer['body'];
      outcome = outcomeOf(answer.statusCode, read);
      return { status: answer.statusCode, body: read };
    } catch {
      return undefined;
    } finally {
      const name = `${what}: ${outcome}`;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    }
  }

  const keyOf = ({ app, openid }: WrittenKey): Record<string, string> => ({
    ...{ dcloudAppid: app.dcloudAppid, platform: 'weixin-mp', openid },
  });

  async function callEcho(node: Node, app: FaultApp): Promise<boolean> {
    const look = tokens.begin(app, node);
    const answer = await ask('gateway', `${node.gateway}${ECHO_PATH}?from_appid=${app.appid}`);
    const url = answer?.body?.['url'];
    if (answer?.status === 200 && typeof url === 'string') {
      look.gave(new URL(url, 'http://platform').searchParams.get('access_token') ?? '');
      return true;
    }
    lookAtError(look, answer);
    return false;
  }

  async function callBusiness(node: Node, app: FaultApp): Promise<boolean> {
    const look = tokens.begin(app, node);
    const answer = await ask('gateway', `${node.gateway}${BUSINESS_PATH}?from_appid=${app.appid}`);
    lookAtError(look, answer);
    return answer?.status === 200 && Array.isArray(answer.body?.['ip_list']);
  }

  async function getToken(node: Node, app: FaultApp): Promise<boolean> {
    const look = tokens.begin(app, node);
    const { dcloudAppid } = app;
    const answer = await ask('getAccessToken', `${node.control}/uni-open-bridge/getAccessToken`, {
      ...{ dcloudAppid, platform: 'weixin-mp' },
    });
    const token = answer?.body?.['access_token'];
    if (answer?.status === 200 && typeof token === 'string') look.gave(token);
    else lookAtError(look, answer);
    return answer?.status === 200;
  }

  async function setKey(node: Node, key: WrittenKey): Promise<boolean> {
    const write = writes.beginWrite(key);
    if (write === undefined) return true;
    const answer = await ask('setSessionKey', `${node.control}/uni-open-bridge/setSessionKey`, {
      ...keyOf(key),
      value: { session_key: write.text },
    });
    const isDone = answer?.status === 200;
    if (isDone) write.acknowledged();
    else write.unanswered();
    return isDone;
  }

  const getKey = (node: Node, key: WrittenKey): Promise<Answer | undefined> =>
    ask('getSessionKey', `${node.control}/uni-open-bridge/getSessionKey`, keyOf(key));

  async function readBack(node: Node, key: WrittenKey): Promise<boolean> {
    const look = writes.beginRead(key, node);
    const answer = await getKey(node, key);
    if (answer?.status !== 200) return false;
    look(sessionKeyIn(answer));
    return true;
  }

  function act(node: Node, dice: Dice): Promise<boolean> {
    const app = dice.pick(APPS) as FaultApp;
    const choice = dice.unit();
    if (choice < 0.4) return callEcho(node, app);
    if (choice < 0.55) return callBusiness(node, app);
    if (choice < 0.75) return getToken(node, app);
    const key = writes.key(dice.unit());
    return choice < 0.85 ? setKey(node, key) : readBack(node, key);
  }

  /** Waits, unless there is a rush. */
  async function think(ms: number): Promise<void> {
    const signal = AbortSignal.any([stopping.signal, rushing.signal]);
    await clock.sleep(ms, signal).catch(() => {});
  }

  async function caller(slot: number, dice: Dice): Promise<void> {
    const meanMs = (callers * nodes.slots * 1000) / perSecond;
    while (!stopping.signal.aborted) {
      await think(meanMs * dice.between(0, 2));
      if (stopping.signal.aborted) return;
      const node = nodes.at(slot);
      const succeeded = node !== undefined && (await act(node, dice));
      if (!succeeded) await clock.sleep(AGAIN_MS, stopping.signal).catch(() => {});
    }
  }

  const running = Array.from({ length: nodes.slots * callers }, (_, number) =>
    caller(number % nodes.slots, createDice(seed * 10_007 + number)),
  );

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all(running);
  }

  return {
    outcomes,
    stop,
    rush() {
      const rush = rushing;
      rushing = new AbortController();
      rush.abort();
    },
    async probe(node) {
      const failed: string[] = [];
      for (const app of APPS) {
        if (!(await callEcho(node, app))) failed.push(`gateway for ${app.name}`);
        if (!(await getToken(node, app))) failed.push(`getAccessToken for ${app.name}`);
      }
      return failed.length === 0 ? undefined : failed.join(', ');
    },
    async readKey(node, key) {
      const answer = await getKey(node, key);
      if (answer?.status !== 200) throw new Error(`getSessionKey answered ${JSON.stringify(answer)}`);
      return sessionKeyIn(answer);
    },
    async close() {
      await stop();
      await agent.destroy();
    },
  };
}

/** Shows a token error of the platform to whoever looks. */
function lookAtError(look: ReturnType<TokenCheck['begin']>, answer: Answer | undefined): void {
  const errcode = answer?.body?.['errcode'];
  if (typeof errcode === 'number') look.failed(errcode);
}

function sessionKeyIn({ body }: Answer): string | undefined {
  const key = body?.['session_key'];
  return typeof key === 'string' ? key : undefined;
}

function outcomeOf(status: number, body: Answer['body']): string {
  const errcode = body?.['errcode'] ?? body?.['errCode'];
  if (status === 200 && (errcode === undefined || errcode === 0)) return 'ok';
  return `${status} ${String(errcode)}`;
}
