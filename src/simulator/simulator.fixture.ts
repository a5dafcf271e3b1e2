/** What the simulator's own tests share. Not part of the public interface. */
import { type AccountOptions, type Simulator, type SimulatorOptions, startSimulator } from './index.ts';

/** Monday 15 January 2024, 10:00 in China. */
export const START = Date.UTC(2024, 0, 15, 2, 0, 0);

export const MP: AccountOptions = { appid: 'wxmp000000000001', secret: 'mp-secret', type: 'mp' };
export const OA: AccountOptions = { appid: 'wxoa000000000001', secret: 'oa-secret', type: 'oa' };

export const WEB: AccountOptions = { appid: 'wxweb00000000001', secret: 'web-secret', type: 'web' };
export const APP: AccountOptions = { appid: 'wxapp00000000001', secret: 'app-secret', type: 'app' };
export const QQ_MP: AccountOptions = { appid: '1100000001', secret: 'qq-mp-secret', type: 'qq-mp' };
export const QQ_APP: AccountOptions = { appid: '101000001', secret: 'qq-app-secret', type: 'qq-app' };

/** One account of each type. */
export const EVERY_TYPE = [MP, OA, WEB, APP, QQ_MP, QQ_APP];

export interface Harness {
  simulator: Simulator;
  get(target: string, headers?: Record<string, string>): Promise<Reply>;
  post(target: string, body?: unknown): Promise<Reply>;
  classic(account?: AccountOptions): Promise<Reply>;
  stable(account?: AccountOptions, force?: boolean): Promise<Reply>;
  /** A fresh stable token. */
  token(account?: AccountOptions): Promise<string>;
}

export interface Reply {
  status: number;
  headers: Headers;
  bytes: Buffer;
  // Answers differ per path; a test names the field it looks at.
  json: Record<string, unknown>;
}

/** Sends a request and reads the answer whole. `json` is empty when the body is none. */
export async function send(url: string, init?: RequestInit): Promise<Reply> {
  const response = await fetch(url, init);
  const bytes = Buffer.from(await response.arrayBuffer());
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(bytes.toString());
  } catch {
    // Pictures and pages are no JSON.
  }
  return { status: response.status, headers: response.headers, bytes, json };
}

/** Starts a simulator with a mini program, an official account and a clock that stands still. */
export async function startHarness(options: SimulatorOptions = {}): Promise<Harness> {
  const simulator = await startSimulator({ accounts: [MP, OA], now: () => START, ...options });
  const get: Harness['get'] = (target, headers = {}) => send(simulator.origin + target, { headers });
  const post: Harness['post'] = (target, body) => {
    const isRaw =
      body === undefined ||
      typeof body === 'string' ||
      body instanceof FormData ||
      body instanceof Uint8Array;
    return send(simulator.origin + target, {
      method: 'POST',
      body: isRaw ? (body as RequestInit['body']) : JSON.stringify(body),
    });
  };
  const stable: Harness['stable'] = ({ appid, secret } = MP, force_refresh = false) =>
    post('/cgi-bin/stable_token', { grant_type: 'client_credential', appid, secret, force_refresh });
  return {
    simulator,
    get,
    post,
    classic: ({ appid, secret } = MP) =>
      get(`/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`),
    stable,
    token: async account => String((await stable(account)).json['access_token']),
  };
}
