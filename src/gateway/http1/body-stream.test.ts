import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../gateway.fixture.ts';
import { inPieces, sha256, startUpstream, startUpstreamWith } from '../wire.fixture.ts';

const MIB = 1024 * 1024;

test('memory that is read into again is never seen by callers, however slowly they read', async () => {
  const bodies = Array.from({ length: 4 }, () => randomBytes(20 * MIB));
  const up = await startUpstream((req, res) => {
    const body = bodies[Number(req.url?.split('/')[2]?.charAt(0))] ?? Buffer.alloc(0);
    res.writeHead(200, {
      'content-type': 'image/png',
      ...(req.url?.includes('counted') ? { 'content-length': body.length } : {}),
    });
    inPieces(body, 70_000).pipe(res);
  });
  const gw = await startGateway({ origin: up.origin });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  /** Reads an answer, resting after each of the first pieces, and gives the digest of its body. */
  const readSlowly = (path: string, restMs: number): Promise<string> =>
    new Promise(resolve => {
      const chunks: Buffer[] = [];
      // More than the kernel holds for a connection waits meanwhile.
      let rests = 3;
      const socket = connect(gw.port, '127.0.0.1');
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (restMs === 0 || rests === 0) return;
        rests -= 1;
        socket.pause();
        setTimeout(() => socket.resume(), restMs);
      });
      socket.on('end', () => {
        const all = Buffer.concat(chunks);
        resolve(sha256(all.subarray(all.indexOf('\r\n\r\n') + 4)));
      });
      // HTTP/1.0, so that the body is not in chunks.
      socket.write(`GET ${path} HTTP/1.0\r\n\r\n`);
    });
  const digests = await Promise.all(
    bodies.map((_, i) => readSlowly(`/wxa/${i}${i % 2 === 0 ? 'counted' : 'chunked'}`, i < 2 ? 0 : 150)),
  );
  expect(digests).toEqual(bodies.map(sha256));
});

test('memory that is read into again is never seen by the platform, however slowly it reads', async () => {
  const bodies = Array.from({ length: 4 }, () => randomBytes(20 * MIB));
  const up = await startUpstreamWith((req, res) => {
    const hash = createHash('sha256');
    let rests = req.url?.endsWith('slow') ? 3 : 0;
    req.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      if (rests === 0) return;
      rests -= 1;
      req.pause();
      setTimeout(() => req.resume(), 150);
    });
    req.on('end', () => res.end(JSON.stringify({ errcode: 0, digest: hash.digest('hex') })));
  });
  const gw = await startGateway({ origin: up.origin });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  const digests = await Promise.all(
    bodies.map(async (body, i) => {
      const answer = await request(`${gw.url}/wxa/${i}${i < 2 ? 'fast' : 'slow'}`, {
        method: 'POST',
        body: i % 2 === 0 ? body : inPieces(body, 70_000),
      });
      return ((await answer.body.json()) as { readonly digest: string }).digest;
    }),
  );
  expect(digests).toEqual(bodies.map(sha256));
});
