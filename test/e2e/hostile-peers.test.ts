import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/index.ts';
import {
  ACCOUNTS,
  SHOP,
  startTestBridge,
  type TestBridge,
  temporaryFolder,
  writeConfig,
} from '../support/bridge.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';

const IDLE = 10_000;
const MIB = 1024 * 1024;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Opens a connection; resolves when it stands. */
function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Resident memory of a process in bytes. */
function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Everything a raw request is answered with until the connection closes, which the request must bring about. */
function exchange(url: string, bytes: string, halfClose = false): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise(resolve => {
    let text = '';
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(bytes);
      if (halfClose) socket.end();
    });
    socket.on('data', chunk => (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

describe('a gateway process', () => {
  async function start(): Promise<BridgeProcess> {
    const folder = temporaryFolder();
    closers.push(() => folder[Symbol.dispose]());
    const simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
    closers.push(() => simulator.close());
    const bridge = await startBridgeProcess(writeConfig(folder.path, simulator.origin));
    closers.push(() => bridge.kill('SIGKILL'));
    return bridge;
  }

  it('holds ten thousand idle connections in bounded memory and goes on answering', async () => {
    const bridge = await start();
    const status = async () => (await fetch(`${bridge.gateway}/wxa/getwxadevinfo`)).status;
    expect(await status()).toBe(200);
    const before = residentBytes(bridge.pid);
    const sockets: Socket[] = [];
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    while (sockets.length < IDLE)
      sockets.push(...(await Promise.all(Array.from({ length: 250 }, () => open(bridge.gateway)))));
    expect(await status()).toBe(200);
    expect(sockets.filter(socket => socket.destroyed)).toEqual([]);
    const grown = residentBytes(bridge.pid) - before;
    process.stderr.write(`${IDLE} idle connections: ${Math.round(grown / MIB)} MiB\n`);
    expect(grown).toBeLessThan(250 * MIB);
  }, 60_000);

  it('forgets callers that vanish in every state', async () => {
    const bridge = await start();
    const head =
      'POST /wxa/msg_sec_check HTTP/1.1\r\nHost: api.weixin.qq.com\r\nContent-Length: 1000000\r\n\r\n';
    const states = [
      '',
      'GET /wxa/getwxadevinfo HT',
      head.slice(0, 60),
      head,
      `${head}${'x'.repeat(100_000)}`,
      'GET /wxa/getwxadevinfo HTTP/1.1\r\n\r\n',
    ];
    const round = async (): Promise<void> => {
      await Promise.all(
        Array.from({ length: 240 }, async (_, at) => {
          const socket = await open(bridge.gateway);
          socket.write(states[at % states.length] ?? '');
          await new Promise(resolve => setImmediate(resolve));
          if (at % 2 === 0) socket.resetAndDestroy();
          else socket.destroy();
        }),
      );
    };
    await round();
    const before = residentBytes(bridge.pid);
    for (let at = 0; at < 10; at += 1) await round();
    expect((await fetch(`${bridge.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
    expect(residentBytes(bridge.pid) - before).toBeLessThan(100 * MIB);
  }, 60_000);

  it('is done at once with callers that close their own half', async () => {
    const bridge = await start();
    const request = 'GET /wxa/getwxadevinfo HTTP/1.1\r\nHost: a\r\n\r\n';
    const round = () =>
      Promise.all(Array.from({ length: 200 }, () => exchange(bridge.gateway, request, true)));
    await round();
    const before = residentBytes(bridge.pid);
    for (let at = 0; at < 10; at += 1) await round();
    expect(residentBytes(bridge.pid) - before).toBeLessThan(100 * MIB);
    expect((await fetch(`${bridge.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
  }, 60_000);
});

describe('the allow-list', () => {
  const LISTED = '/wxa/getwxadevinfo';

  async function start(): Promise<TestBridge> {
    const bridge = await startTestBridge({
      config: { openapi: { allow: [LISTED] }, log: { level: 'error' } },
    });
    closers.push(() => bridge.close());
    return bridge;
  }

  it('cannot be got round by spelling a path in another way', async () => {
    const bridge = await start();
    const pieces = [
      '/',
      '//',
      '/./',
      '/../',
      '%2f',
      '%2F',
      '%2e',
      ';',
      ';x=1',
      '\\',
      '%5c',
      '?',
      '#',
      '%00',
      '%',
      '.',
      '..',
      'wxa',
      'WXA',
      'getwxadevinfo',
      'msg_sec_check',
      'cgi-bin',
      'menu',
      'delete',
      '%6denu',
      '%20',
      '+',
      '*',
      'a',
    ];
    const target = fc
      .array(fc.constantFrom(...pieces), { maxLength: 9 })
      .map(parts => parts.join(''))
      .chain(text =>
        fc.constantFrom(
          `/${text}`,
          `/wxa/${text}`,
          `${LISTED}${text}`,
          `/wxa/getwxadevinfo/../${text}`,
          `http://api.weixin.qq.com/${text}`,
        ),
      );
    await fc.assert(
      fc.asyncProperty(target, async text => {
        await exchange(
          bridge.gateway,
          `GET ${text} HTTP/1.1\r\nHost: api.weixin.qq.com\r\nConnection: close\r\n\r\n`,
        );
        const reached = Object.keys(bridge.simulator.counters(SHOP.appid).calls).filter(
          path => !path.startsWith('/cgi-bin/stable_token'),
        );
        expect(reached.filter(path => path !== LISTED)).toEqual([]);
      }),
      { numRuns: 400 },
    );
    await exchange(bridge.gateway, `GET ${LISTED} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(bridge.simulator.counters(SHOP.appid).calls).toHaveProperty([LISTED]);
  }, 60_000);

  it.each([
    [
      'CL and TE',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /cgi-bin/menu/delete HTTP/1.1\r\nHost: a\r\n\r\n`,
    ],
    [
      'two lengths',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 48\r\n\r\nabcdGET /cgi-bin/menu/delete HTTP/1.1\r\nHost: a\r\n\r\n`,
    ],
    [
      'a folded header',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n\r\nabcd`,
    ],
    [
      'a blank before the colon',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'an unknown coding',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    ],
    ['bare line feeds', `GET ${LISTED} HTTP/1.1\nHost: a\n\n`],
    [
      'a bad chunk size',
      `POST ${LISTED} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n`,
    ],
    [
      'a token twice',
      `GET ${LISTED}?access_token=a&access_token=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    ],
    [
      'a token twice, once encoded',
      `GET ${LISTED}?access%5Ftoken=a&access_token=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    ],
    [
      'an authority-form target',
      'CONNECT api.weixin.qq.com:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    ],
    ['an asterisk-form target', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ])('lets no second request ride on %s', async (_what, bytes) => {
    const bridge = await start();
    const answer = await exchange(bridge.gateway, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toMatch(/x-openapi-seqid: /i);
    expect(bridge.simulator.counters(SHOP.appid).calls['/cgi-bin/menu/delete']).toBeUndefined();
    expect(bridge.simulator.counters(SHOP.appid).calls[LISTED]).toBeUndefined();
  });
});
