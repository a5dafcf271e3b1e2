import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { exchangeHttp2, HOST, openHttp2, openTls, startHttps } from './https.fixture.ts';
import { startUpstream, startUpstreamWith, valuesOf } from './wire.fixture.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM } = constants;

const get = (path: string): Record<string, string> => ({ ':path': path, ':authority': HOST });
const post = (path: string): Record<string, string> => ({ ...get(path), ':method': 'POST' });

/** What a refusal says, in the gateway's own dialect. */
const refusal = (body: Buffer): { errcode: number; request_id: string } => JSON.parse(body.toString());

describe('callers that go away', () => {
  /** An upstream that never answers, and tells when its caller leaves. */
  async function silentUpstream() {
    const state = { asked: 0, gone: 0 };
    const up = await startUpstreamWith(req => {
      state.asked += 1;
      req.resume();
      req.socket.on('close', () => {
        state.gone += 1;
      });
    });
    return { up, state };
  }

  test('by cancelling a stream: the call upstream ends, the others do not', async () => {
    const { up, state } = await silentUpstream();
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    const streams = Array.from({ length: 3 }, () => session.request(get('/wxa/x')));
    await expect.poll(() => state.asked).toBe(3);
    streams[1]?.close(NGHTTP2_CANCEL);
    await expect.poll(() => state.gone).toBe(1);
    expect((await tls.gw.record(1)).end).toBe('caller-gone');
    expect(tls.gw.records).toHaveLength(1);
  });

  test('in the middle of an upload: the call upstream ends', async () => {
    const { up, state } = await silentUpstream();
    const tls = await startHttps({ upstream: up });
    const stream = openHttp2(tls).request({ ...post('/wxa/x'), 'content-length': '1000000' });
    stream.on('error', () => {});
    stream.write(Buffer.alloc(200_000));
    await expect.poll(() => state.asked).toBe(1);
    stream.close(NGHTTP2_CANCEL);
    await expect.poll(() => state.gone).toBe(1);
  });

  test('with their connection: all their calls end', async () => {
    const { up, state } = await silentUpstream();
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    for (let i = 0; i < 5; i += 1) session.request(get('/wxa/x')).on('error', () => {});
    await expect.poll(() => state.asked).toBe(5);
    session.destroy();
    await expect.poll(() => state.gone).toBe(5);
    await tls.gw.record(5);
    expect(tls.gw.records.map(each => each.end)).toEqual(Array(5).fill('caller-gone'));
  });

  test('a reset that comes with the request leaves nothing behind', async () => {
    const { up, state } = await silentUpstream();
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    for (let i = 0; i < 50; i += 1) {
      const stream = session.request(get('/wxa/x'));
      stream.on('error', () => {});
      stream.close(NGHTTP2_CANCEL);
    }
    await tls.gw.record(50);
    await expect.poll(() => state.asked - state.gone).toBe(0);
  });
});

describe('hostile callers', () => {
  /** A frame of HTTP/2 (RFC 9113, section 4.1). */
  function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  }
  const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const SETTINGS = frame(4, 0, 0, Buffer.alloc(0));
  /** `:method: GET`, `:scheme: https`, `:path: /`, and `:authority: a`, as HPACK has them. */
  const HEAD = Buffer.from([0x82, 0x87, 0x84, 0x41, 0x01, 0x61]);
  const floods: [string, () => Iterable<Buffer>][] = [
    [
      'rapid resets',
      function* () {
        for (let id = 1; id < 40_000; id += 2) {
          const open = frame(1, 5, id, HEAD);
          yield Buffer.concat([open, frame(3, 0, id, Buffer.from([0, 0, 0, 8]))]);
        }
      },
    ],
    [
      'pings',
      function* () {
        for (let i = 0; i < 200_000; i += 1) yield frame(6, 0, 0, Buffer.alloc(8));
      },
    ],
    [
      'settings',
      function* () {
        for (let i = 0; i < 200_000; i += 1) yield SETTINGS;
      },
    ],
    [
      'a head that is continued for ever',
      function* () {
        yield frame(1, 1, 1, HEAD);
        for (let i = 0; i < 20_000; i += 1) yield frame(9, 0, 1, Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62]));
      },
    ],
    [
      'frames that are none',
      function* () {
        for (let i = 0; i < 50; i += 1) yield randomBytes(16_384);
      },
    ],
  ];

  test.each(floods)('%s: the connection ends, the listener serves on', async (_what, flood) => {
    const tls = await startHttps();
    const socket = await openTls(tls, { ALPNProtocols: ['h2'] });
    const closed = once(socket, 'close');
    socket.on('error', () => {});
    // Nothing of what the server says is read, so that its answers pile up.
    socket.pause();
    socket.write(Buffer.concat([PREFACE, SETTINGS]));
    const pieces: Buffer[] = [...flood()];
    socket.write(Buffer.concat(pieces));
    setTimeout(() => socket.resume(), 300);
    await closed;
    const answer = await exchangeHttp2(openHttp2(tls), get('/wxa/x'));
    expect(answer.status).toBe(200);
  });

  test.each<[string, () => string[]]>([
    ['one that is large', () => ['x-a', 'a'.repeat(20_000)]],
    ['many that are not', () => Array.from({ length: 400 }, () => ['x-a', 'a'.repeat(40)]).flat()],
  ])('headers over the limit: %s', async (_what, headers) => {
    const tls = await startHttps();
    const session = openHttp2(tls);
    const more = headers();
    const answer = await exchangeHttp2(session, [
      ...[':method', 'GET', ':path', '/wxa/x', ':authority', HOST, ':scheme', 'https'],
      ...more,
    ]);
    expect(answer.status).toBe(431);
    expect(refusal(answer.body).request_id).toBe(valuesOf(answer.headers, 'x-openapi-seqid')[0]);
    expect(tls.up.seen).toHaveLength(0);
    expect((await exchangeHttp2(openHttp2(tls), get('/wxa/x'))).status).toBe(200);
  });

  test('more headers than a stream may have reset it', async () => {
    const tls = await startHttps();
    const answer = await exchangeHttp2(openHttp2(tls), [
      ...[':method', 'GET', ':path', '/wxa/x', ':authority', HOST, ':scheme', 'https'],
      ...Array.from({ length: 520 }, () => ['x', '1']).flat(),
    ]);
    expect(answer).toMatchObject({ status: 0, rstCode: NGHTTP2_ENHANCE_YOUR_CALM });
    expect((await exchangeHttp2(openHttp2(tls), get('/wxa/x'))).status).toBe(200);
    expect(tls.gw.records).toHaveLength(1);
  });

  test('many small headers within the size limit all arrive', async () => {
    const tls = await startHttps();
    tls.up.server.maxHeadersCount = 0;
    const many = Array.from({ length: 500 }, () => ['x', '1']).flat();
    const answer = await exchangeHttp2(openHttp2(tls), [
      ...[':method', 'GET', ':path', '/wxa/x', ':authority', HOST, ':scheme', 'https'],
      ...many,
    ]);
    expect(answer.status).toBe(200);
    expect(valuesOf(tls.up.seen[0]?.headers ?? [], 'x')).toHaveLength(500);
  });
});

describe('connections', () => {
  test('that are idle for long are closed', async () => {
    const tls = await startHttps({ https: { keepAliveTimeoutMs: 100 } });
    const session = openHttp2(tls);
    const closed = once(session, 'close');
    expect((await exchangeHttp2(session, get('/wxa/x'))).status).toBe(200);
    await closed;
  });

  test('that never say what they want are closed', async () => {
    const tls = await startHttps({ https: { keepAliveTimeoutMs: 100 } });
    const socket = await openTls(tls, { ALPNProtocols: ['h2'] });
    socket.resume();
    await once(socket, 'close');
  });

  test('that wait for an answer are not idle', async () => {
    const up = await startUpstream((_req, res) => void setTimeout(() => res.end('{"errcode":0}'), 300));
    const tls = await startHttps({ upstream: up, https: { keepAliveTimeoutMs: 60 } });
    expect((await exchangeHttp2(openHttp2(tls), get('/wxa/x'))).status).toBe(200);
  });
});

describe('closing', () => {
  test('lets calls finish and takes no new ones', async () => {
    let answerNow = (): void => {};
    const up = await startUpstream((_req, res) => {
      answerNow = () => void res.end('{"errcode":0}');
    });
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    const goaway = once(session, 'goaway');
    const pending = exchangeHttp2(session, get('/wxa/x'));
    await expect.poll(() => up.seen.length).toBe(1);
    const closed = tls.listener.close(5000);
    await goaway;
    answerNow();
    expect((await pending).status).toBe(200);
    await closed;
    await expect(openTls(tls)).rejects.toThrow();
  });

  test('breaks off what does not finish in time', async () => {
    const up = await startUpstreamWith(() => {});
    const tls = await startHttps({ upstream: up });
    const stream: ClientHttp2Stream = openHttp2(tls).request(get('/wxa/x'));
    stream.on('error', () => {});
    const closed = once(stream, 'close');
    await expect.poll(() => up.connections()).toBe(1);
    await tls.listener.close(30);
    await closed;
    expect((await tls.gw.record(1)).end).toBe('caller-gone');
  });
});
