import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TestGateway, TestGatewayOptions } from './gateway.fixture.ts';
import { gatewayBefore, SHOP, startGateway } from './gateway.fixture.ts';
import type { Respond } from './wire.fixture.ts';
import { sha256, startUpstreamWith } from './wire.fixture.ts';

const REFUSED = '{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest"}';
const OK = '{"errcode":0,"errmsg":"ok"}';

/** Refuses the first `times` calls, then accepts. */
function refusing(
  times = 1,
  refuse = (res: import('node:http').ServerResponse): void => void res.end(REFUSED),
): Respond {
  let left = times;
  return (_req, res) => {
    left -= 1;
    if (left >= 0) refuse(res);
    else res.end(OK);
  };
}

const setup = (respond: Respond, options: Omit<TestGatewayOptions, 'origin'> = {}) =>
  gatewayBefore(options, respond);

async function post(gw: TestGateway, body: Buffer | Readable | string | undefined, method = 'POST') {
  const answer = await request(`${gw.url}/wxa/x?a=1`, { method, body: body ?? null });
  return { status: answer.statusCode, text: await answer.body.text() };
}

const tokenIn = (url: string | undefined): string =>
  new URL(url ?? '', 'http://h').searchParams.get('access_token') ?? '';

describe('a refused credential', () => {
  test.each([
    ['GET', undefined],
    ['POST', '{"content":"x"}'],
    ['DELETE', undefined],
  ])('is replaced and the %s sent once more', async (method, body) => {
    const { gw, up } = await setup(refusing());
    const before = gw.authority.token(SHOP);
    expect(await post(gw, body, method)).toEqual({ status: 200, text: OK });
    expect(up.seen.map(each => tokenIn(each.url))).toEqual([before, gw.authority.token(SHOP)]);
    expect(tokenIn(up.seen[1]?.url)).not.toBe(before);
    expect(up.seen.map(each => [each.method, each.body.toString(), each.url.split('&')[1]])).toEqual(
      [0, 1].map(() => [method, body ?? '', 'a=1']),
    );
    expect(gw.authority.reports).toEqual([
      { fingerprint: expect.any(String), errcode: 40001, observedBy: 'gateway' },
    ]);
    expect(gw.records[0]).toMatchObject({ replayed: true, errcode: 0, status: 200 });
  });

  test('leaves its connection usable', async () => {
    const { gw, up } = await setup((req, res) =>
      res.end(req.url?.includes(encodeURIComponent('/1=')) ? REFUSED : OK),
    );
    for (let i = 0; i < 10; i += 1) expect(await post(gw, 'x')).toEqual({ status: 200, text: OK });
    // The repetition may begin before the first connection is free again, but nothing is thrown away.
    expect(up.connections()).toBeLessThanOrEqual(2);
  });

  test.each([40001, 40014, 42001])('is told by errcode %i', async errcode => {
    const { gw } = await setup(refusing(1, res => void res.end(JSON.stringify({ errcode, errmsg: 'x' }))));
    expect(await post(gw, 'x')).toEqual({ status: 200, text: OK });
  });

  test.each([0, 41001, 40164, 45009, 48001, -1])('is not told by errcode %i', async errcode => {
    const { gw, up } = await setup(
      refusing(1, res => void res.end(JSON.stringify({ errcode, errmsg: 'x' }))),
    );
    expect((await post(gw, 'x')).text).toContain(String(errcode));
    expect(up.seen).toHaveLength(1);
    expect(gw.authority.reports).toHaveLength(0);
    expect(gw.records[0]).toMatchObject({ errcode, replayed: false });
  });

  test('is seen in a packed answer, in one without a length, and in one with leading blanks in pieces', async () => {
    const ways: ((res: import('node:http').ServerResponse) => void)[] = [
      res => res.setHeader('content-encoding', 'gzip').end(gzipSync(REFUSED)),
      res => {
        res.write(REFUSED.slice(0, 20));
        setTimeout(() => res.end(REFUSED.slice(20)), 10);
      },
      res => {
        res.write(' \r\n');
        setTimeout(() => res.end(REFUSED), 10);
      },
    ];
    for (const way of ways) {
      const { gw, up } = await setup(refusing(1, way));
      expect(await post(gw, 'x')).toEqual({ status: 200, text: OK });
      expect(up.seen).toHaveLength(2);
    }
  });

  test('is replaced once only: a second refusal is the answer', async () => {
    const { gw, up } = await setup(refusing(5));
    expect(await post(gw, 'x')).toEqual({ status: 200, text: REFUSED });
    expect(up.seen).toHaveLength(2);
    expect(gw.authority.reports).toHaveLength(1);
    expect(gw.records[0]).toMatchObject({ replayed: true, errcode: 40001 });
  });

  test.each(['keep', 'fail'] as const)(
    'that cannot be replaced (%s) leaves the answer as it was',
    async mode => {
      const { gw, up } = await setup(
        refusing(1, res => void res.setHeader('X-Odd', 'kept').writeHead(418).end(REFUSED)),
      );
      gw.authority.mode = mode;
      const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: 'x' });
      expect(answer.statusCode).toBe(418);
      expect(answer.headers['x-odd']).toBe('kept');
      expect(await answer.body.text()).toBe(REFUSED);
      expect(up.seen).toHaveLength(1);
      expect(gw.records[0]).toMatchObject({ replayed: false, errcode: 40001 });
    },
  );

  test('that cannot be replaced while the database is away is answered with that, and says when to try again', async () => {
    const { gw, up } = await setup(refusing());
    gw.authority.mode = 'store-away';
    const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: 'x' });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    const text = await answer.body.text();
    expect(JSON.parse(text)).toMatchObject({
      errcode: 990513,
      error_type: 'GatewayError',
      errmsg:
        'the platform refused the token (40001), which could not be replaced because the database is away: the database failed: ECONNREFUSED; check that the server runs',
    });
    expect(text).not.toContain('canary');
    expect(up.seen).toHaveLength(1);
    expect(gw.records[0]).toMatchObject({
      ...{ status: 503, errcode: 990513, failure: 'STORE_UNAVAILABLE', replayed: false },
      answerBytes: Buffer.byteLength(text),
    });
    gw.authority.mode = 'renew';
    expect(await post(gw, 'x')).toEqual({ status: 200, text: OK });
  });

  test.each([
    ['has ended', 'unavailable'],
    ['would have lived on', 'keep-unavailable'],
  ] as const)(
    'that %s and cannot be replaced because none is to be had is answered as a call without one would be',
    async (_what, mode) => {
      const { gw, up } = await setup(refusing());
      gw.authority.mode = mode;
      const answer = await request(`${gw.url}/wxa/x`, { method: 'POST', body: 'x' });
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
      expect(await answer.body.json()).toMatchObject({
        ...{ errcode: 40164, error_type: 'SafeLinkError' },
        errmsg: expect.stringContaining('add 203.0.113.7 to the list'),
      });
      expect(up.seen).toHaveLength(1);
      expect(gw.records[0]).toMatchObject({
        status: 503,
        failure: 'CREDENTIAL_UNAVAILABLE',
        replayed: false,
      });
    },
  );

  test('whose call could not be sent again anyway leaves the answer as it was, database or not', async () => {
    const settings = { replayMemoryBytes: 1_000_000 };
    const { gw } = await setup(refusing(), { tmpDir: '/nonexistent/folder', settings });
    gw.authority.mode = 'store-away';
    expect(await post(gw, randomBytes(2_000_000))).toEqual({ status: 200, text: REFUSED });
    expect(gw.records[0]).toMatchObject({ status: 200, errcode: 40001, failure: undefined });
  });

  test('whose replacement takes too long leaves the answer as it was', async () => {
    const { gw } = await setup(refusing(), { settings: { timeoutMs: 60 } });
    gw.authority.mode = 'hang';
    expect(await post(gw, 'x')).toEqual({ status: 200, text: REFUSED });
  });

  test('of many calls at once is replaced for all of them', async () => {
    const bad = new Set<string>();
    const { gw } = await setup((req, res) => res.end(bad.has(tokenIn(req.url)) ? REFUSED : OK));
    bad.add(gw.authority.token(SHOP));
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(gw, 'x')));
    expect(answers.every(each => each.text === OK)).toBe(true);
    expect(gw.authority.token(SHOP)).toContain('/2=');
  });

  test('in a binary or large answer is not looked for', async () => {
    const ways: ((res: import('node:http').ServerResponse) => void)[] = [
      res => void res.setHeader('content-type', 'image/jpeg').end(REFUSED),
      res => void res.setHeader('content-type', 'application/octet-stream').end(REFUSED),
      res => void res.end(`{"errcode":40001,"x":"${'x'.repeat(70_000)}"}`),
      res => void res.end(`[${REFUSED}]`),
    ];
    for (const way of ways) {
      const { gw, up } = await setup(refusing(1, way));
      expect((await post(gw, 'x')).text).toContain('40001');
      expect(up.seen).toHaveLength(1);
    }
  });
});

describe('the body of a repeated call', () => {
  function temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'open-bridge-replay-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return folder;
  }
  const stream = (body: Buffer): Readable =>
    Readable.from(
      (function* () {
        for (let at = 0; at < body.length; at += 50_000) yield body.subarray(at, at + 50_000);
      })(),
      { objectMode: false },
    );

  test.each([
    ['in memory', 200_000, {}, 'length'],
    ['in memory, in chunks', 200_000, {}, 'chunks'],
    ['in a file for its size', 2_000_000, { replayMemoryBytes: 1_000_000 }, 'length'],
    ['in a file for its size, in chunks', 2_000_000, { replayMemoryBytes: 1_000_000 }, 'chunks'],
    ['in a file from the start', 200_000, { replayMemoryBytes: 0 }, 'length'],
    ['in a file as memory is scarce', 200_000, { replayMemoryTotalBytes: 100_000 }, 'length'],
  ] as const)('is kept %s', async (_where, size, settings, framing) => {
    const tmpDir = temporaryFolder();
    const { gw, up } = await setup(refusing(), { tmpDir, settings });
    const body = randomBytes(size);
    expect(await post(gw, framing === 'length' ? body : stream(body))).toEqual({ status: 200, text: OK });
    expect(up.seen.map(each => sha256(each.body))).toEqual([sha256(body), sha256(body)]);
    expect(gw.records[0]).toMatchObject({ replayed: true, requestBytes: size });
    expect(readdirSync(tmpDir)).toEqual([]);
  });

  test('that cannot be kept costs the repetition, not the call', async () => {
    const settings = { replayMemoryBytes: 1_000_000 };
    const { gw, up } = await setup(refusing(), { tmpDir: '/nonexistent/folder', settings });
    expect(await post(gw, randomBytes(2_000_000))).toEqual({ status: 200, text: REFUSED });
    expect(up.seen).toHaveLength(1);
    expect(gw.authority.reports).toHaveLength(1);
    expect(await post(gw, 'next')).toEqual({ status: 200, text: OK });
  });

  test('is read to its end first when the refusal came before it', async () => {
    const size = 3_000_000;
    const bodies: string[] = [];
    let first = true;
    const up = await startUpstreamWith((req, res) => {
      if (first) {
        first = false;
        res.end(REFUSED);
        return;
      }
      const chunks: Buffer[] = [];
      req.on('data', chunk => chunks.push(chunk));
      req.on('end', () => {
        bodies.push(sha256(Buffer.concat(chunks)));
        res.end(OK);
      });
    });
    const gw = await startGateway({ origin: up.origin });
    onTestFinished(async () => {
      await gw.close();
      await up.close();
    });
    const body = randomBytes(size);
    expect(await post(gw, stream(body))).toEqual({ status: 200, text: OK });
    expect(bodies).toEqual([sha256(body)]);
  });
});
