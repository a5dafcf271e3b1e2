import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { exchangeHttp2, HOST, openHttp2, startHttps } from './https.fixture.ts';
import { sha256, startUpstream, valuesOf } from './wire.fixture.ts';

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

const get = (path: string): Record<string, string> => ({ ':path': path, ':authority': HOST });
const post = (path: string): Record<string, string> => ({ ...get(path), ':method': 'POST' });

/** What a refusal says, in the gateway's own dialect. */
const refusal = (body: Buffer): { errcode: number; request_id: string } => JSON.parse(body.toString());

describe('one call', () => {
  test('arrives upstream as HTTP/1.1, and its answer comes back as HTTP/2', async () => {
    const up = await startUpstream((_req, res) =>
      res
        .writeHead(201, 'Quite Made', {
          Connection: 'X-Hop',
          'X-Hop': '1',
          'X-CaSe': 'Kept',
          'Set-Cookie': ['a=1', 'b=2'],
          Date: 'Sun, 01 Mar 2026 04:00:00 GMT',
        })
        .end('{"errcode":0}'),
    );
    const tls = await startHttps({ upstream: up });
    const answer = await exchangeHttp2(
      openHttp2(tls),
      [
        ...[':method', 'POST', ':path', '/wxa/x?b=2', ':authority', HOST, ':scheme', 'https'],
        ...['x-dup', '1', 'x-dup', '2', 'te', 'trailers', 'cookie', 'a=1', 'cookie', 'b=2'],
        ...['x-forwarded-for', '10.1.1.1'],
      ],
      stream => stream.end('abc'),
    );
    const [seen] = up.seen;
    expect(seen?.method).toBe('POST');
    expect(seen?.url).toMatch(/^\/wxa\/x\?access_token=.+&b=2$/);
    expect(seen?.body.toString()).toBe('abc');
    expect(valuesOf(seen?.headers ?? [], 'x-dup')).toEqual(['1', '2']);
    expect(valuesOf(seen?.headers ?? [], 'cookie')).toEqual(['a=1; b=2']);
    expect(valuesOf(seen?.headers ?? [], 'te')).toEqual([]);
    expect(valuesOf(seen?.headers ?? [], 'x-forwarded-for')).toEqual(['10.1.1.1, 127.0.0.1']);
    expect(valuesOf(seen?.headers ?? [], 'content-length')).toEqual(['3']);

    expect(answer).toMatchObject({ status: 201, rstCode: NGHTTP2_NO_ERROR });
    expect(answer.body.toString()).toBe('{"errcode":0}');
    expect(valuesOf(answer.headers, 'set-cookie')).toEqual(['a=1', 'b=2']);
    expect(answer.headers).toContain('x-case');
    expect(valuesOf(answer.headers, 'date')).toEqual(['Sun, 01 Mar 2026 04:00:00 GMT']);
    expect(valuesOf(answer.headers, 'x-openapi-seqid')).toHaveLength(1);
    for (const name of ['connection', 'x-hop', 'keep-alive', 'transfer-encoding'])
      expect(valuesOf(answer.headers, name)).toEqual([]);
    expect((await tls.gw.record(1)).end).toBe('whole');
  });

  test.each([
    ['no authority but a Host', { host: HOST }, 200],
    ['an authority with port and capitals', { ':authority': 'API.Weixin.QQ.com:443' }, 200],
    ['our own address', { ':authority': '127.0.0.1:7243' }, 200],
    ['two hosts that differ', { ':authority': HOST, host: 'evil.example' }, 400],
    ['an authority with a password', { ':authority': `a@${HOST}` }, 0],
  ])('%s', async (_what, headers, status) => {
    const tls = await startHttps();
    const answer = await exchangeHttp2(openHttp2(tls), { ':path': '/wxa/x', ...headers });
    expect(answer.status).toBe(status);
    expect(tls.up.seen).toHaveLength(status === 200 ? 1 : 0);
  });

  test.each([
    ['a path that can be read in two ways', get('/wxa/%2e%2e/x'), 400],
    ['a path that is not listed', get('/cgi-bin/x'), 403],
    ['a tunnel', { ':method': 'CONNECT', ':authority': `${HOST}:443` }, 405],
    ['the asterisk form', { ':method': 'OPTIONS', ':path': '*', ':authority': HOST }, 400],
  ])('%s is refused with an id and a record', async (_what, headers, status) => {
    const tls = await startHttps({ allow: ['/wxa/*'] });
    const answer = await exchangeHttp2(openHttp2(tls), headers);
    expect(answer.status).toBe(status);
    const [seqid] = valuesOf(answer.headers, 'x-openapi-seqid');
    expect(refusal(answer.body)).toMatchObject({ request_id: seqid, errcode: expect.any(Number) });
    expect(tls.gw.records.filter(each => each.seqid === seqid)).toHaveLength(1);
    expect(tls.up.seen).toHaveLength(0);
  });

  test('HEAD, 204 and 304 have no body', async () => {
    const up = await startUpstream((req, res) => {
      const status = Number(/status=(\d+)/.exec(req.url ?? '')?.[1] ?? 200);
      res.writeHead(status, status === 200 ? { 'content-length': '13' } : {});
      res.end(status === 200 ? '{"errcode":0}' : undefined);
    });
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    const head = await exchangeHttp2(session, { ...get('/wxa/x'), ':method': 'HEAD' });
    expect(head).toMatchObject({ status: 200, rstCode: NGHTTP2_NO_ERROR });
    expect(valuesOf(head.headers, 'content-length')).toEqual(['13']);
    expect(head.body).toHaveLength(0);
    for (const status of [204, 304]) {
      const answer = await exchangeHttp2(session, get(`/wxa/x?status=${status}`));
      expect(answer).toMatchObject({ status, body: Buffer.alloc(0), rstCode: NGHTTP2_NO_ERROR });
    }
    await tls.gw.record(3);
    expect(tls.gw.records.map(each => each.end)).toEqual(['whole', 'whole', 'whole']);
  });

  test('trailers are taken and dropped', async () => {
    const tls = await startHttps();
    const session = openHttp2(tls);
    const stream = session.request(post('/wxa/x'), { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-late': '1' }));
    stream.end('abc');
    const [head] = await once(stream, 'response');
    expect(head[':status']).toBe(200);
    stream.resume();
    await once(stream, 'close');
    expect(tls.up.seen[0]?.body.toString()).toBe('abc');
    expect(valuesOf(tls.up.seen[0]?.headers ?? [], 'x-late')).toEqual([]);
  });

  test('a status that HTTP/2 has no form for resets the stream, and no more', async () => {
    const up = await startUpstream((req, res) => {
      res.writeHead(req.url?.startsWith('/wxa/odd') ? 999 : 200).end('{"errcode":0}');
    });
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    expect((await exchangeHttp2(session, get('/wxa/odd'))).rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect((await exchangeHttp2(session, get('/wxa/x'))).status).toBe(200);
  });
});

describe('100-continue', () => {
  test.each([
    ['/wxa/x', '3', true, 200],
    ['/cgi-bin/x', '3', false, 403],
    ['/wxa/x', String(33 * 1024 * 1024), false, 413],
  ])('of %s with %s bytes: said %s', async (path, length, said, status) => {
    const tls = await startHttps({ allow: ['/wxa/*'] });
    let continued = false;
    const answer = await exchangeHttp2(
      openHttp2(tls),
      { ...post(path), expect: '100-continue', 'content-length': length },
      stream => {
        stream.on('continue', () => {
          continued = true;
          stream.end('abc');
        });
        stream.on('response', () => {
          if (!continued) stream.close(NGHTTP2_NO_ERROR);
        });
      },
    );
    expect(answer.status).toBe(status);
    expect(continued).toBe(said);
    expect(tls.up.seen.map(each => valuesOf(each.headers, 'expect'))).toEqual(said ? [[]] : []);
  });
});

describe('many streams', () => {
  test('a hundred at once on one connection, each with its own answer', async () => {
    const up = await startUpstream((req, res, body) => {
      setTimeout(() => res.end(`${req.url?.split('?')[0]} ${body}`), 20 + Math.random() * 30);
    });
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        exchangeHttp2(session, post(`/wxa/x${i}`), stream => stream.end(`body ${i}`)),
      ),
    );
    expect(answers.map(answer => answer.body.toString())).toEqual(
      Array.from({ length: 100 }, (_, i) => `/wxa/x${i} body ${i}`),
    );
  });

  test('more than are allowed at once wait for their turn', async () => {
    const up = await startUpstream((_req, res) => void setTimeout(() => res.end('{"errcode":0}'), 5));
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    await once(session, 'remoteSettings');
    expect(session.remoteSettings.maxConcurrentStreams).toBe(256);
    const answers = await Promise.all(
      Array.from({ length: 600 }, () => exchangeHttp2(session, get('/wxa/x'))),
    );
    expect(answers.every(answer => answer.status === 200)).toBe(true);
  });

  test('a refused upload does not disturb the others, and its caller reads why', async () => {
    const tls = await startHttps({ allow: ['/wxa/x'] });
    const session = openHttp2(tls);
    const [refused, ...others] = await Promise.all([
      exchangeHttp2(session, post('/cgi-bin/x'), stream => {
        Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100_000))).pipe(stream);
      }),
      ...Array.from({ length: 20 }, () => exchangeHttp2(session, get('/wxa/x'))),
    ]);
    expect(refused.status).toBe(403);
    expect(refusal(refused.body).errcode).toBe(85107);
    expect(others.every(answer => answer.status === 200)).toBe(true);
  });
});

describe('large bodies', () => {
  const big = randomBytes(32 * 1024 * 1024);

  test.each([
    ['declared', { 'content-length': String(big.length) }],
    ['not declared', {}],
  ])('32 MiB up, length %s, and down again, byte for byte', async (_what, headers) => {
    const up = await startUpstream((_req, res, body) => res.setHeader('content-type', 'image/png').end(body));
    const tls = await startHttps({ upstream: up });
    const answer = await exchangeHttp2(openHttp2(tls), { ...post('/wxa/x'), ...headers }, stream =>
      stream.end(big),
    );
    expect(answer.status).toBe(200);
    expect(sha256(up.seen[0]?.body ?? Buffer.alloc(0))).toBe(sha256(big));
    expect(sha256(answer.body)).toBe(sha256(big));
  });

  test('a body over the limit is refused while it comes', async () => {
    const tls = await startHttps({ settings: { maxRequestBytes: 100_000 } });
    const answer = await exchangeHttp2(openHttp2(tls), post('/wxa/x'), stream => {
      Readable.from(Array.from({ length: 40 }, () => Buffer.alloc(100_000))).pipe(stream);
    });
    expect(answer.status).toBe(413);
  });

  test('a caller that does not read holds the platform back instead of filling memory', async () => {
    let sent = 0;
    const up = await startUpstream((_req, res) => {
      res.setHeader('content-type', 'image/png');
      const more = (): void => {
        while (res.write(Buffer.alloc(65_536))) sent += 65_536;
        sent += 65_536;
      };
      res.on('drain', more);
      more();
    });
    const tls = await startHttps({ upstream: up, settings: { maxResponseBytes: 1024 ** 3 } });
    const stream = openHttp2(tls).request(get('/wxa/x'));
    stream.on('error', () => {});
    await once(stream, 'response');
    await expect.poll(() => sent).toBeGreaterThan(0);
    let before = -1;
    await expect
      .poll(() => {
        const still = sent === before;
        before = sent;
        return still;
      })
      .toBe(true);
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    stream.close(NGHTTP2_CANCEL);
    expect((await tls.gw.record(1)).end).not.toBe('whole');
  });

  test.each([
    ['declared', { 'content-length': '1000000' }],
    ['not declared', {}],
  ])('an answer that breaks off upstream resets the stream, length %s', async (_what, headers) => {
    const up = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'image/png', ...headers });
      res.write(Buffer.alloc(200_000), () => setTimeout(() => res.destroy(), 20));
    });
    const tls = await startHttps({ upstream: up });
    const answer = await exchangeHttp2(openHttp2(tls), get('/wxa/x'));
    expect(answer.status).toBe(200);
    expect(answer.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  });
});

describe('a listener that is about to stop', () => {
  test('lets requests finish, and serves new connections until it closes', async () => {
    let answerNow = (): void => {};
    const up = await startUpstream((req, res) => {
      if (req.url?.startsWith('/wxa/slow')) answerNow = () => void res.end('{"errcode":0}');
      else res.end('{"errcode":0}');
    });
    const tls = await startHttps({ upstream: up });
    const session = openHttp2(tls);
    const goaway = once(session, 'goaway');
    const pending = exchangeHttp2(session, get('/wxa/slow'));
    await expect.poll(() => up.seen.length).toBe(1);
    tls.listener.drain();
    expect((await goaway)[0]).toBe(NGHTTP2_NO_ERROR);
    const next = openHttp2(tls);
    expect((await exchangeHttp2(next, get('/wxa/x'))).status).toBe(200);
    answerNow();
    expect((await pending).status).toBe(200);
    await once(session, 'close');
    expect((await exchangeHttp2(next, get('/wxa/x'))).status).toBe(200);
    expect(next.closed).toBe(false);
    await tls.listener.close(5000);
    await expect.poll(() => next.closed).toBe(true);
  });

  test('serves the first request of a connection that it has just accepted', async () => {
    const tls = await startHttps();
    const session = openHttp2(tls);
    await once(session, 'remoteSettings');
    const closed = tls.listener.close(5000);
    await pause(20);
    expect((await exchangeHttp2(session, get('/wxa/x'))).status).toBe(200);
    await closed;
    await expect.poll(() => session.closed).toBe(true);
  });

  test('does not wait for a connection without a request', async () => {
    const tls = await startHttps();
    const session = openHttp2(tls);
    await once(session, 'remoteSettings');
    const ended = once(session, 'close');
    await tls.listener.close(20_000);
    await ended;
  });
});
