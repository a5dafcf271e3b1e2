/** Measures what is asked of another process: a running bridge over HTTP, or Redis. */
import { type Connection, openConnection, requestBytes } from '../load/connection.ts';
import { cpuMs, rssMib } from '../processes.ts';
import { HEADERS } from '../traffic.ts';
import { type Act, type Measured, measure } from './drive.ts';
import { openResp } from './resp.ts';
import { anyUsers, DCLOUD_APPID, hotUsers, PLATFORM, sessionKeyOf, storedKeyOf } from './users.ts';

/** What to measure. */
export interface WireSettings {
  readonly operation: 'redis-get' | 'http-get' | 'http-set';
  readonly port: number;
  /** The process that answers. */
  readonly pid: number;
  readonly rows: number;
  /** Whether a few users are asked for again and again, or any. */
  readonly users: 'hot' | 'any';
  readonly lanes: number;
  readonly seconds: number;
}

async function redisGet(port: number, next: () => string): Promise<Act> {
  const redis = await openResp(port);
  return async () => {
    const value = await redis.ask('GET', storedKeyOf(next()));
    if (value === null) throw new Error('a stored session key was not found');
  };
}

async function http(port: number, method: string, bodyOf: () => object, answer: string): Promise<Act> {
  const connection = await openConnection({ port, tls: false });
  return async () => {
    const { status, body } = await exchange(connection, method, bodyOf());
    if (status !== 200 || !body.startsWith(answer)) throw new Error(`${method} answered ${status} ${body}`);
  };
}

function exchange(
  connection: Connection,
  method: string,
  body: object,
): Promise<{ readonly status: number; readonly body: string }> {
  const request = requestBytes('POST', `/uni-open-bridge/${method}`, HEADERS, JSON.stringify(body));
  return new Promise(resolve => connection.send(request, (status, text) => resolve({ status, body: text })));
}

/** What one connection does again and again, asking for users of its own. */
async function openLane(settings: WireSettings, lane: number): Promise<Act> {
  const { operation, port, rows, users, lanes } = settings;
  // Reading, lanes may share the only user; writing, they would measure how they get in each other's way.
  const share = operation === 'http-set' || rows >= lanes ? lane : 0;
  const openids = users === 'hot' ? hotUsers(rows) : anyUsers(rows, share, lanes);
  let turn = 0;
  const next = (): string => openids[turn++ % openids.length] ?? '';
  const key = (): object => ({ dcloudAppid: DCLOUD_APPID, platform: PLATFORM, openid: next() });
  switch (operation) {
    case 'redis-get':
      return redisGet(port, next);
    case 'http-get':
      return http(port, 'getSessionKey', key, '{"session_key":"');
    case 'http-set': {
      const value = (): object => ({ session_key: sessionKeyOf(`${Math.random()}`) });
      return http(port, 'setSessionKey', () => ({ ...key(), value: value() }), '{"errCode":0');
    }
  }
}

async function main(settings: WireSettings): Promise<Measured> {
  const lanes: Act[] = [];
  for (let lane = 0; lane < settings.lanes; lane += 1) lanes.push(await openLane(settings, lane));
  return measure({
    lanes,
    seconds: settings.seconds,
    elsewhere: true,
    cpuMs: () => cpuMs(settings.pid),
    rssMib: () => rssMib(settings.pid),
  });
}

const measured = await main(JSON.parse(process.argv[2] ?? '') as WireSettings);
process.stdout.write(JSON.stringify(measured), () => process.exit(0));
