import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../../test/support/manual-clock.ts';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { inPieces, sha256, startRawUpstream } from '../wire.fixture.ts';
import type { OriginPool } from './origin-pool.ts';
import { createOriginPool } from './origin-pool.ts';
import { cutUp } from './pieces.fixture.ts';
import { createSweep } from './sweep.ts';
import { TestExchange } from './test-exchange.fixture.ts';

interface TestPool {
  readonly pool: OriginPool;
  /** The upstream's side of each connection that was opened. */
  readonly sockets: Socket[];
  /** Everything that each of them received. */
  readonly received: string[];
}

/** A pool before an upstream that is given each connection and what comes in on it. */
async function setup(
  speak: (socket: Socket, text: string, connection: number) => void,
  { clock = systemClock, max = 256 }: { clock?: Clock; max?: number } = {},
): Promise<TestPool> {
  const sockets: Socket[] = [];
  const received: string[] = [];
  const up = await startRawUpstream(socket => {
    const own = sockets.push(socket) - 1;
    received[own] = '';
    socket.on('data', chunk => {
      received[own] += chunk.toString('latin1');
      speak(socket, chunk.toString('latin1'), own);
    });
  });
  const pool = createOriginPool(up.origin, {
    clock,
    sweep: createSweep(clock),
    readBuffer: Buffer.alloc(64 * 1024),
    maxConnections: () => max,
  });
  onTestFinished(async () => {
    pool.close();
    await up.close();
  });
  return { pool, sockets, received };
}

function dispatch(
  pool: OriginPool,
  change: ConstructorParameters<typeof TestExchange>[0] = {},
): TestExchange {
  const exchange = new TestExchange(change);
  pool.dispatch(exchange);
  return exchange;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const breathe = (ms = 20): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

describe('an answer', () => {
  const body = 'x'.repeat(300);
  const framed: [string, string][] = [
    ['counted', `HTTP/1.1 200 OK\r\nContent-Length: 300\r\nX-A: b\r\n\r\n${body}`],
    [
      'in chunks',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n64\r\n${body.slice(0, 100)}\r\n` +
        `c8;x=y\r\n${body.slice(100)}\r\n0\r\nX-T: u\r\n\r\n`,
    ],
    [
      'after hints',
      `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 300\r\n\r\n${body}`,
    ],
  ];
  test.each(framed)(
    '%s is read whatever pieces it comes in, and its connection used again',
    async (_how, wire) => {
      let pieces: Buffer[] = [];
      const { pool, sockets } = await setup(async socket => {
        for (const piece of pieces) {
          socket.write(piece);
          await breathe(0);
        }
      });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 8 }), async cuts => {
          pieces = cutUp(Buffer.from(wire), cuts);
          const exchange = dispatch(pool);
          await exchange.settled;
          expect(exchange.error).toBeUndefined();
          expect(exchange.head).toMatchObject({ status: 200 });
          expect(exchange.head?.fields.headers.slice(-2)).not.toContain('Link');
          expect(exchange.text).toBe(body);
        }),
        { numRuns: 20 },
      );
      expect(sockets).toHaveLength(1);
    },
  );

  test('of many megabytes keeps every byte, also while others are read into the same memory', async () => {
    const large = randomBytes(3_000_000);
    const { pool } = await setup((socket, text) => {
      const target = text.split(' ')[1] ?? '';
      if (target === '/large') {
        const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n`);
        inPieces(Buffer.concat([head, large]), 50_000).pipe(socket, { end: false });
      } else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
    });
    const exchanges = [dispatch(pool, { target: '/large' }), dispatch(pool, { target: '/large' })];
    const kept: TestExchange[] = [];
    for (let i = 0; i < 50; i += 1) {
      const small = dispatch(pool, { target: `/${100 + i}` });
      await small.settled;
      kept.push(small);
    }
    expect(kept.map(each => each.text)).toEqual(kept.map((_, i) => `/${100 + i}`));
    for (const each of exchanges) {
      await each.settled;
      expect(sha256(each.body)).toBe(sha256(large));
    }
  });

  test.each([
    ['to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n'],
    ['to HEAD, in chunks', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\n\r\n'],
    ['of no length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ])('%s has no body, and its connection is used again', async (_what, method, wire) => {
    const { pool, sockets } = await setup(socket => void socket.write(wire));
    for (let i = 0; i < 2; i += 1) {
      const exchange = dispatch(pool, { method });
      await exchange.settled;
      expect([exchange.error, exchange.text]).toEqual([undefined, '']);
    }
    expect(sockets).toHaveLength(1);
  });

  test('without a length lasts until the connection closes', async () => {
    const { pool, sockets } = await setup(socket => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nab');
      setTimeout(() => socket.end('c'), 10);
    });
    for (let i = 0; i < 2; i += 1) {
      const exchange = dispatch(pool);
      await exchange.settled;
      expect([exchange.error, exchange.text]).toEqual([undefined, 'abc']);
    }
    expect(sockets).toHaveLength(2);
  });
});

describe('a connection is not used again', () => {
  test.each([
    ['after Connection: close', 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok'],
    ['after HTTP/1.0', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'],
    ['when more came than the answer', `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
    [
      'when the peer will not keep it',
      'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok',
    ],
    ['when a 204 had a body all the same', 'HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\nok'],
  ])('%s', async (_what, wire) => {
    const { pool, sockets } = await setup(socket => void socket.write(wire));
    for (let i = 1; i <= 2; i += 1) {
      const exchange = dispatch(pool);
      await exchange.settled;
      expect(exchange.error).toBeUndefined();
      expect(exchange.text).not.toContain('evil');
      expect(sockets).toHaveLength(i);
    }
  });

  test('when something came that nobody asked for', async () => {
    const { pool, sockets } = await setup(socket => void socket.write(OK));
    await dispatch(pool).settled;
    sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await breathe();
    const next = dispatch(pool);
    await next.settled;
    expect(next.text).toBe('ok');
    expect(sockets).toHaveLength(2);
  });

  test('when the peer has closed it', async () => {
    const { pool, sockets } = await setup(socket => void socket.write(OK));
    await dispatch(pool).settled;
    sockets[0]?.end();
    await breathe();
    await dispatch(pool).settled;
    expect(sockets).toHaveLength(2);
  });

  test.each([
    ['after 15 s without use', '', 15_000],
    ['after the time the peer gives, less a margin', 'Keep-Alive: timeout=5\r\n', 3000],
    ['after no more than 15 s, whatever the peer gives', 'Keep-Alive: timeout=600\r\n', 15_000],
  ])('%s', async (_what, line, ms) => {
    const clock = manualClock();
    const { pool, sockets } = await setup(
      socket => void socket.write(`HTTP/1.1 200 OK\r\n${line}Content-Length: 2\r\n\r\nok`),
      { clock },
    );
    await dispatch(pool).settled;
    await clock.advance(ms - 1);
    await dispatch(pool).settled;
    expect(sockets).toHaveLength(1);
    await clock.advance(ms + 250);
    await dispatch(pool).settled;
    expect(sockets).toHaveLength(2);
  });

  test('after an exchange was given up', async () => {
    const { pool, sockets, received } = await setup((socket, text) => {
      if (text.includes('/ok')) socket.write(OK);
    });
    const hung = dispatch(pool);
    await expect.poll(() => received[0]).toBeDefined();
    await expect.poll(() => received[0]?.length).toBeGreaterThan(0);
    hung.abort();
    await dispatch(pool, { target: '/ok' }).settled;
    expect(sockets).toHaveLength(2);
    expect(hung.error).toBeUndefined();
  });
});

describe('what breaks off', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\n';
  test.each([
    ['before an answer', '', false],
    ['within the head', 'HTTP/1.1 2', true],
    ['within a counted body', `${HEAD}Content-Length: 3\r\n\r\nab`, true],
    ['within a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nab`, true],
    ['before the last chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`, true],
    ['within the end of the chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`, true],
  ])('%s is told, with whether an answer had begun', async (_what, wire, began) => {
    for (const end of ['end', 'reset'] as const) {
      const { pool } = await setup(socket => {
        socket.write(wire, () =>
          setTimeout(() => (end === 'end' ? socket.end() : socket.resetAndDestroy()), 10),
        );
      });
      const exchange = dispatch(pool);
      await exchange.settled;
      expect(exchange.error?.code).toBe('ECONNRESET');
      expect(exchange.began).toBe(began);
    }
  });

  test.each([
    ['no HTTP', 'garbage\r\n\r\n'],
    ['a bare line feed', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(12_000)}`],
    ['a chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ])('an answer with %s is refused', async (_what, wire) => {
    const { pool, sockets } = await setup(socket => void socket.write(wire));
    const exchange = dispatch(pool);
    await exchange.settled;
    expect(exchange.error?.name).toBe('HttpSyntaxError');
    await expect.poll(() => sockets[0]?.destroyed || sockets[0]?.readableEnded).toBe(true);
  });

  test('a head of 64 KiB is read', async () => {
    const line = `A: ${'b'.repeat(60_000)}\r\n`;
    const { pool } = await setup(
      socket => void socket.write(`HTTP/1.1 200 OK\r\n${line}Content-Length: 0\r\n\r\n`),
    );
    const exchange = dispatch(pool);
    await exchange.settled;
    expect(exchange.error).toBeUndefined();
  });

  test('nobody there is told as such', async () => {
    const gone = await startRawUpstream(() => {});
    await gone.close();
    const pool = createOriginPool(gone.origin, {
      clock: systemClock,
      sweep: createSweep(systemClock),
      readBuffer: Buffer.alloc(1024),
      maxConnections: () => 1,
    });
    const exchanges = [dispatch(pool), dispatch(pool), dispatch(pool)];
    for (const each of exchanges) {
      await each.settled;
      expect([each.error?.code, each.began]).toEqual(['ECONNREFUSED', false]);
    }
  });

  test('closing the pool ends what is under way and what waits', async () => {
    const { pool, sockets } = await setup(() => {}, { max: 1 });
    const exchanges = [dispatch(pool), dispatch(pool)];
    await expect.poll(() => sockets.length).toBe(1);
    pool.close();
    for (const each of exchanges) {
      await each.settled;
      expect(each.error?.code).toBe('ECONNRESET');
    }
    expect(sockets).toHaveLength(1);
  });
});

describe('connections', () => {
  test('are no more than allowed, and those who wait are served in their order', async () => {
    let open = 0;
    let most = 0;
    const { pool, sockets } = await setup(
      async (socket, text) => {
        open += 1;
        most = Math.max(most, open);
        await breathe(2);
        open -= 1;
        const target = text.split(' ')[1] ?? '';
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      },
      { max: 3 },
    );
    const order: string[] = [];
    await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const exchange = dispatch(pool, { target: `/${i}` });
        await exchange.settled;
        order.push(exchange.text);
      }),
    );
    expect(most).toBe(3);
    expect(sockets).toHaveLength(3);
    expect(order.slice(3)).toEqual(
      [...order.slice(3)].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
    );
  });

  test('used last are used first', async () => {
    const { pool, received } = await setup((socket, text) => {
      setTimeout(() => socket.write(OK), text.includes('/slow') ? 40 : 5);
    });
    await Promise.all([dispatch(pool, { target: '/slow' }).settled, dispatch(pool).settled]);
    await dispatch(pool, { target: '/next' }).settled;
    const slow = received.find(each => each.includes('/slow'));
    expect(slow).toContain('/next');
  });

  test('that are being made serve the next one when the first was given up', async () => {
    const { pool, sockets, received } = await setup(socket => void socket.write(OK), { max: 1 });
    const first = dispatch(pool, { target: '/first' });
    const dropped = dispatch(pool, { target: '/dropped' });
    const second = dispatch(pool, { target: '/second' });
    first.abort();
    dropped.abort();
    await second.settled;
    expect(second.text).toBe('ok');
    expect(sockets).toHaveLength(1);
    expect(received[0]).not.toMatch(/first|dropped/);
  });

  test('that broke off make room for who waits', async () => {
    const { pool, sockets } = await setup(
      (socket, text) => {
        if (text.includes('/bad')) socket.destroy();
        else socket.write(OK);
      },
      { max: 1 },
    );
    const bad = dispatch(pool, { target: '/bad' });
    const good = dispatch(pool);
    await Promise.all([bad.settled, good.settled]);
    expect(bad.error).toBeDefined();
    expect(good.text).toBe('ok');
    expect(sockets).toHaveLength(2);
  });

  test('that are not made in 10 s are given up', async () => {
    const clock = manualClock();
    let accepted = 0;
    const mute = await startRawUpstream(() => {
      accepted += 1;
    });
    const pool = createOriginPool(mute.origin.replace('http:', 'https:'), {
      clock,
      sweep: createSweep(clock),
      readBuffer: Buffer.alloc(1024),
      maxConnections: () => 1,
    });
    onTestFinished(async () => {
      pool.close();
      await mute.close();
    });
    const exchange = dispatch(pool);
    await expect.poll(() => accepted).toBe(1);
    await clock.advance(9999);
    expect(exchange.over).toBe(false);
    await clock.advance(251);
    await exchange.settled;
    expect([exchange.error?.code, exchange.began]).toEqual(['ETIMEDOUT', false]);
  });

  test('hold the upstream back while the exchange wants no more', async () => {
    let written = 0;
    const { pool } = await setup(socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
      const more = (): void => {
        while (written < 100_000_000 && socket.writable) {
          written += 100_000;
          if (!socket.write(Buffer.alloc(100_000))) break;
        }
      };
      socket.on('drain', more);
      more();
    });
    const exchange = new TestExchange();
    exchange.flows = false;
    pool.dispatch(exchange);
    await breathe(200);
    const stalled = exchange.body.length;
    expect(stalled).toBeLessThan(200_000);
    expect(written).toBeLessThan(50_000_000);
    exchange.carrier?.resume();
    await expect.poll(() => exchange.body.length).toBeGreaterThan(stalled);
    exchange.abort();
  });
});

describe('request bodies', () => {
  test.each([
    ['small', 10],
    ['of one write', 16 * 1024],
    ['larger', 300_000],
  ])('%s go out whole', async (_what, size) => {
    const body = randomBytes(size);
    const { pool, received } = await setup((socket, _text, own) => {
      if ((received[own]?.split('\r\n\r\n').slice(1).join('\r\n\r\n').length ?? 0) === size) socket.write(OK);
    });
    const exchange = dispatch(pool, { method: 'POST', body });
    await exchange.settled;
    expect(exchange.text).toBe('ok');
    expect(received[0]?.endsWith(body.toString('latin1'))).toBe(true);
  });

  test('that are streams go out counted or in chunks', async () => {
    const body = randomBytes(250_000);
    const { pool, received } = await setup((socket, _text, own) => {
      const whole = received[own] ?? '';
      const counted = whole.includes('content-length: 250000');
      const ends = counted
        ? whole.length - whole.indexOf('\r\n\r\n') - 4 === body.length
        : whole.endsWith('\r\n0\r\n\r\n');
      if (ends) socket.write(OK);
    });
    const counted = dispatch(pool, { method: 'POST', body: inPieces(body), bodyLength: body.length });
    await counted.settled;
    expect(received[0]?.endsWith(body.toString('latin1'))).toBe(true);
    received[0] = '';
    const chunked = dispatch(pool, { method: 'POST', body: inPieces(body) });
    await chunked.settled;
    expect(received).toHaveLength(1);
    expect(received[0]?.startsWith('POST / HTTP/1.1\r\n')).toBe(true);
    const wire = received[0]?.split('\r\n\r\n').slice(1).join('\r\n\r\n') ?? '';
    expect(wire.slice(0, 7)).toBe('186a0\r\n');
    expect(wire.slice(7, 100_007)).toBe(body.toString('latin1', 0, 100_000));
  });

  test.each([
    ['longer', 5],
    ['shorter', 20],
  ])('%s than was said end the exchange', async (_what, bodyLength) => {
    const { pool, sockets } = await setup(() => {});
    const exchange = dispatch(pool, { method: 'POST', body: Readable.from([Buffer.alloc(10)]), bodyLength });
    await exchange.settled;
    expect(exchange.error?.message).toMatch(/Content-Length/);
    await expect.poll(() => sockets[0]?.readableEnded || sockets[0]?.destroyed).toBe(true);
  });

  test('that fail end the exchange with their error', async () => {
    const { pool } = await setup(() => {});
    const body = new Readable({ read() {} });
    const exchange = dispatch(pool, { method: 'POST', body });
    body.push('abc');
    await breathe();
    body.destroy(new Error('the body is broken'));
    await exchange.settled;
    expect(exchange.error?.message).toBe('the body is broken');
  });

  test('answered before they were sent whole are not sent on, nor their connection used again', async () => {
    const { pool, sockets } = await setup(socket => void socket.write(OK));
    const body = new Readable({ read() {} });
    body.push('abc');
    const exchange = dispatch(pool, { method: 'POST', body });
    await exchange.settled;
    expect([exchange.error, exchange.text]).toEqual([undefined, 'ok']);
    expect(body.destroyed).toBe(true);
    await dispatch(pool).settled;
    expect(sockets).toHaveLength(2);
  });
});
