import { connect } from 'node:net';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { startGateway } from './gateway.fixture.ts';
import type { TestUpstream } from './wire.fixture.ts';
import { exchangeBytes, startUpstream, valuesOf } from './wire.fixture.ts';

async function setup(
  options: Omit<TestGatewayOptions, 'origin'> = {},
): Promise<{ gw: TestGateway; up: TestUpstream }> {
  const up = await startUpstream((req, res) => {
    if (req.url?.startsWith('/wxa/slow')) setTimeout(() => res.end('{"errcode":0}'), 80);
    else
      res
        .setHeader('Connection', 'X-Secret-Hop')
        .setHeader('x-secret-hop', '1')
        .setHeader('Set-Cookie', ['a=1', 'b=2'])
        .setHeader('X-CaSe', 'Kept')
        .end('{"errcode":0}');
  });
  const gw = await startGateway({ origin: up.origin, ...options });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  return { gw, up };
}

/** Status, header list and body of the last answer in raw bytes. */
function parse(raw: string): { status: number; headers: string[]; body: string } {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = fields.flatMap(field => [
    field.slice(0, field.indexOf(':')),
    field.slice(field.indexOf(':') + 1).trim(),
  ]);
  return { status: Number(line.split(' ')[1]), headers, body: rest.join('\r\n\r\n') };
}

describe('headers on the wire', () => {
  test('hop-by-hop ones stop here both ways, the rest passes with case, order and duplicates', async () => {
    const { gw, up } = await setup();
    const raw = await exchangeBytes(
      gw.port,
      [
        'GET /wxa/x HTTP/1.1',
        'Host: api.weixin.qq.com',
        'Connection: keep-alive, X-Mine',
        'X-Mine: hop',
        'Proxy-Connection: keep-alive',
        'Keep-Alive: timeout=5',
        'Proxy-Authenticate: Basic',
        'Proxy-Authorization: Basic abc',
        'TE: trailers',
        'Trailer: X-T',
        'Upgrade: h2c',
        'X-Bridge-Key: ignored-without-callers',
        'X-Forwarded-For: 10.1.1.1',
        'X-Dup: 1',
        'x-dup: 2',
        'Cookie: a=1',
        'test-id: stays',
        '',
        '',
      ].join('\r\n'),
    );
    const sent = (up.seen[0]?.headers ?? []).filter(
      (_, i, all) => !/^(host|connection)$/i.test(all[i - (i % 2)] ?? ''),
    );
    expect(sent).toEqual([
      'X-Forwarded-For',
      '10.1.1.1, 127.0.0.1',
      'X-Dup',
      '1',
      'x-dup',
      '2',
      'Cookie',
      'a=1',
      'test-id',
      'stays',
    ]);
    const answer = parse(raw);
    expect(answer.status).toBe(200);
    expect(valuesOf(answer.headers, 'set-cookie')).toEqual(['a=1', 'b=2']);
    expect(answer.headers).toContain('X-CaSe');
    expect(valuesOf(answer.headers, 'x-secret-hop')).toEqual([]);
    expect(valuesOf(answer.headers, 'x-openapi-seqid')).toHaveLength(1);
    expect(valuesOf(answer.headers, 'connection')).toEqual(['keep-alive']);
    expect(valuesOf(answer.headers, 'date')).toHaveLength(1);
  });

  test('an upgrade is not made, and the request served as if it had not asked', async () => {
    const { gw } = await setup();
    const raw = await exchangeBytes(
      gw.port,
      'GET /wxa/x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    );
    expect(parse(raw)).toMatchObject({ status: 200, body: '{"errcode":0}' });
    const socket = await exchangeBytes(
      gw.port,
      'GET /wxa/x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(parse(socket).status).toBe(200);
  });
});

describe('requests that are not well-formed', () => {
  test.each([
    [
      'both length and chunks',
      'POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
      400,
    ],
    ['two lengths', 'POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a folded header', 'GET /wxa/x HTTP/1.1\r\nX-A: b\r\n c\r\n\r\n', 400],
    ['bare line feeds', 'GET /wxa/x HTTP/1.1\nHost: a\n\n', 400],
    ['a blank before the colon', 'GET /wxa/x HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['a NUL in a header', 'GET /wxa/x HTTP/1.1\r\nX-A: a\0b\r\n\r\n', 400],
    ['an unknown method', 'FROB /wxa/x HTTP/1.1\r\n\r\n', 400],
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['another version', 'GET /wxa/x HTTP/3.0\r\n\r\n', 400],
    ['raw bytes in the target', 'GET /wxa/x?a=\xe4\xb8\xad HTTP/1.1\r\n\r\n', 400],
    [
      'a coding we do not know',
      'POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['two hosts', 'GET /wxa/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['a percent sign in the path', 'GET /wxa/%2e%2e/x HTTP/1.1\r\n\r\n', 400],
    ['the asterisk form', 'OPTIONS * HTTP/1.1\r\n\r\n', 400],
    ['a tunnel', 'CONNECT api.weixin.qq.com:443 HTTP/1.1\r\nHost: api.weixin.qq.com:443\r\n\r\n', 405],
    ['huge headers', `GET /wxa/x HTTP/1.1\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['endless headers', `GET /wxa/x HTTP/1.1\r\n${'A: b\r\n'.repeat(50_000)}\r\n`, 431],
    ['a huge target', `GET /wxa/x?${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`, 431],
    ['a broken chunk', 'POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc', 400],
  ])('%s: refused with an id and a record', async (_what, bytes, status) => {
    const { gw, up } = await setup();
    const answer = parse(await exchangeBytes(gw.port, bytes, 80));
    expect(answer.status).toBe(status);
    const [seqid] = valuesOf(answer.headers, 'x-openapi-seqid');
    expect(JSON.parse(answer.body)).toMatchObject({
      request_id: seqid,
      errcode: expect.any(Number),
      error_message: expect.any(String),
    });
    expect(Number(valuesOf(answer.headers, 'content-length')[0])).toBe(
      Buffer.byteLength(answer.body, 'latin1'),
    );
    expect(gw.records.filter(each => each.seqid === seqid)).toHaveLength(1);
    expect(up.seen).toHaveLength(0);
  });

  test('many small headers within the size limit all arrive', async () => {
    const { gw, up } = await setup();
    up.server.maxHeadersCount = 0;
    await exchangeBytes(gw.port, `GET /wxa/x HTTP/1.1\r\n${'A:b\r\n'.repeat(2500)}\r\n`);
    expect(valuesOf(up.seen[0]?.headers ?? [], 'a')).toHaveLength(2500);
  });

  test('a second request smuggled behind a body is a request of its own, refused by itself', async () => {
    const { gw, up } = await setup({ allow: ['/wxa/x'] });
    const raw = await exchangeBytes(
      gw.port,
      'POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /wxa/y HTTP/1.1\r\n\r\n',
    );
    expect(raw.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(up.seen.map(each => each.body.toString())).toEqual(['abc']);
  });

  test('a head that does not come is given up', async () => {
    const { gw } = await setup({ listener: { headersTimeoutMs: 50 } });
    const raw = await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.1\r\nX-A:', 1000);
    expect(parse(raw)).toMatchObject({ status: 408 });
  });
});

describe('100-continue', () => {
  const ask = (path: string, length: number): string =>
    `POST ${path} HTTP/1.1\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;

  test('is said when the body is wanted, and not passed on', async () => {
    const { gw, up } = await setup();
    const raw = await new Promise<string>(resolve => {
      const socket = connect(gw.port, '127.0.0.1');
      let all = '';
      socket.on('data', chunk => {
        all += chunk.toString('latin1');
        if (all === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('abc');
        else socket.destroy();
      });
      socket.on('close', () => resolve(all));
      socket.write(ask('/wxa/x', 3));
    });
    expect(raw).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    expect(up.seen[0]?.body.toString()).toBe('abc');
    expect(valuesOf(up.seen[0]?.headers ?? [], 'expect')).toEqual([]);
  });

  test.each([
    ['too large', '/wxa/x', 33 * 1024 * 1024, 413],
    ['not listed', '/cgi-bin/x', 3, 403],
  ])('is not said when the call is refused: %s', async (_why, path, length, status) => {
    const { gw, up } = await setup({ allow: ['/wxa/x'] });
    const raw = await exchangeBytes(gw.port, ask(path, length), 3000);
    expect(parse(raw)).toMatchObject({ status });
    expect(valuesOf(parse(raw).headers, 'connection')).toEqual(['close']);
    expect(up.seen).toHaveLength(0);
  });

  test('other expectations are ignored', async () => {
    const { gw, up } = await setup();
    const raw = await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.1\r\nExpect: miracles\r\n\r\n');
    expect(parse(raw).status).toBe(200);
    expect(valuesOf(up.seen[0]?.headers ?? [], 'expect')).toEqual([]);
  });
});

describe('connections', () => {
  test('are kept after refusals and answers alike', async () => {
    const { gw } = await setup({ allow: ['/wxa/x'] });
    const one = (path: string): string => `POST ${path} HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc`;
    const raw = await exchangeBytes(gw.port, one('/wxa/x') + one('/wxa/y') + one('/wxa/x'));
    expect(raw.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200']);
  });

  test('are kept when a small refused body comes late', async () => {
    const { gw } = await setup({ allow: ['/wxa/x'] });
    const raw = await new Promise<string>(resolve => {
      const socket = connect(gw.port, '127.0.0.1');
      let all = '';
      socket.on('data', chunk => {
        all += chunk.toString('latin1');
        if (all.split('HTTP/1.1 ').length === 2)
          socket.write('abcGET /wxa/x HTTP/1.1\r\nConnection: close\r\n\r\n');
      });
      socket.on('close', () => resolve(all));
      socket.write('POST /wxa/y HTTP/1.1\r\nContent-Length: 3\r\n\r\n');
    });
    expect(raw.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 403', 'HTTP/1.1 200']);
  });

  test('over the limit are closed', async () => {
    const { gw } = await setup({ listener: { maxConnections: 1 } });
    const first = connect(gw.port, '127.0.0.1');
    await new Promise(resolve => first.once('connect', resolve));
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.1\r\n\r\n')).toBe('');
    first.destroy();
  });

  test('an address that is taken is an error', async () => {
    const { gw, up } = await setup();
    await expect(startGateway({ origin: up.origin, listener: { port: gw.port } })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});

describe('closing', () => {
  test('lets calls finish, takes no new ones, and says that the connection ends', async () => {
    const up = await startUpstream((_req, res) => setTimeout(() => res.end('{"errcode":0}'), 80));
    const gw = await startGateway({ origin: up.origin });
    onTestFinished(() => up.close());
    const pending = request(`${gw.url}/wxa/x`);
    await expect.poll(() => up.seen.length).toBe(1);
    const closed = gw.closeWithin(2000);
    const answer = await pending;
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['connection']).toBe('close');
    await answer.body.dump();
    await closed;
    await expect(request(`${gw.url}/wxa/x`)).rejects.toThrow();
  });

  test('breaks off what does not finish in time', async () => {
    const up = await startUpstream(() => {});
    const gw = await startGateway({ origin: up.origin });
    onTestFinished(() => up.close());
    const pending = request(`${gw.url}/wxa/x`);
    pending.catch(() => {});
    await expect.poll(() => up.seen.length).toBe(1);
    await gw.closeWithin(30);
    await expect(pending).rejects.toThrow();
  });
});
