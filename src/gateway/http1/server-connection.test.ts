import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ManualClock, manualClock } from '../../../test/support/manual-clock.ts';
import type { TestGateway, TestGatewayOptions } from '../gateway.fixture.ts';
import { gatewayBefore, startGateway } from '../gateway.fixture.ts';
import type { Respond } from '../wire.fixture.ts';
import { exchangeBytes, inPieces, startUpstreamWith, valuesOf } from '../wire.fixture.ts';

const OK = '{"errcode":0}';

const echo: Respond = (req, res) => void res.end(req.url?.startsWith('/wxa/echo') ? req.url : OK);
const setup = (options: Omit<TestGatewayOptions, 'origin'> = {}, respond: Respond = echo) =>
  gatewayBefore(options, respond);

/** A connection that keeps what it receives. */
class Caller {
  readonly socket: Socket;
  received = '';
  /** `end`, an error's code, or undefined while it lasts. */
  ended: string | undefined;

  constructor(gw: TestGateway) {
    this.socket = connect(gw.port, '127.0.0.1');
    this.socket.on('data', chunk => {
      this.received += chunk.toString('latin1');
    });
    this.socket.on('end', () => {
      this.ended ??= 'end';
    });
    this.socket.on('error', error => {
      this.ended ??= (error as NodeJS.ErrnoException).code ?? 'error';
    });
    onTestFinished(() => void this.socket.destroy());
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async answers(count: number): Promise<string[]> {
    await expect.poll(() => this.received.match(/HTTP\/1\.1 \d+/g) ?? []).toHaveLength(count);
    return this.received.match(/HTTP\/1\.1 \d+/g) ?? [];
  }
}

const GET = 'GET /wxa/x HTTP/1.1\r\n\r\n';

/** Headers of the first answer in raw bytes. */
function headersOf(raw: string): string[] {
  const [head = ''] = raw.split('\r\n\r\n');
  return head
    .split('\r\n')
    .slice(1)
    .flatMap(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
}

/** Lets real sockets move while the clock of the gateway stands still. */
const breathe = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 20));

async function atTime(options: Omit<TestGatewayOptions, 'origin'> = {}, respond?: Respond) {
  const clock: ManualClock = manualClock();
  return { clock, ...(await setup({ clock, ...options }, respond)) };
}

describe('requests sent ahead', () => {
  test('are answered one after the other, in order', async () => {
    const { gw } = await setup({}, (req, res) => {
      setTimeout(() => res.end(req.url), req.url?.startsWith('/wxa/1') ? 40 : 0);
    });
    const caller = new Caller(gw);
    caller.send([1, 2, 3, 4].map(n => `GET /wxa/${n} HTTP/1.1\r\n\r\n`).join(''));
    await caller.answers(4);
    expect(caller.received.match(/\/wxa\/\d/g)).toEqual(['/wxa/1', '/wxa/2', '/wxa/3', '/wxa/4']);
  });

  test('are read whatever pieces they come in', async () => {
    const { gw, up } = await setup();
    const requests =
      GET +
      'POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc' +
      'POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nX-T: u\r\n\r\n' +
      `\r\n${GET}`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 12 }), async cuts => {
        up.seen.length = 0;
        const caller = new Caller(gw);
        let at = 0;
        for (const size of cuts) {
          caller.send(requests.slice(at, at + size));
          at += size;
          await new Promise(resolve => setTimeout(resolve, 1));
        }
        caller.send(requests.slice(at));
        await caller.answers(4);
        caller.socket.destroy();
        expect(up.seen.map(({ method, body }) => `${method} ${body}`)).toEqual([
          'GET ',
          'POST abc',
          'POST def',
          'GET ',
        ]);
      }),
      { numRuns: 30 },
    );
  });

  test('are held back, and forgotten with their connection', async () => {
    let answer = (): void => {};
    const { gw, up } = await setup({}, (_req, res) => {
      answer = () => void res.end(OK);
    });
    const caller = new Caller(gw);
    caller.send(GET);
    await expect.poll(() => up.seen.length).toBe(1);
    // What the kernel holds fills up first; then nothing moves any more.
    let taken = 0;
    const sendOn = (): void => {
      caller.socket.write(GET.repeat(4000), () => {
        taken += 1;
        if (taken < 300) sendOn();
      });
    };
    sendOn();
    let before = -1;
    let stood = 0;
    const standsFor = (): number => {
      stood = taken === before ? stood + 1 : 0;
      before = taken;
      return stood;
    };
    await expect.poll(standsFor, { interval: 100, timeout: 20_000 }).toBe(8);
    expect(taken).toBeLessThan(250);
    caller.socket.resetAndDestroy();
    answer();
    await gw.record(1);
    await breathe();
    expect(up.seen.length).toBeLessThan(3);
  });

  test('after one that closes the connection are not served', async () => {
    const { gw, up } = await setup();
    const raw = await exchangeBytes(gw.port, `GET /wxa/x HTTP/1.1\r\nConnection: close\r\n\r\n${GET}`);
    expect(raw.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(valuesOf(headersOf(raw), 'connection')).toEqual(['close']);
    expect(up.seen).toHaveLength(1);
  });

  test('after what is no request are not served', async () => {
    const { gw, up } = await setup();
    const raw = await exchangeBytes(gw.port, `${GET}garbage\r\n\r\n${GET}`);
    expect(raw.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(up.seen).toHaveLength(1);
  });

  test('by a caller that does not read its answers are not served without end', async () => {
    const { gw, up } = await setup({}, (_req, res) => void res.end(Buffer.alloc(60_000, 'x')));
    const caller = new Caller(gw);
    caller.socket.pause();
    for (let i = 0; i < 400; i += 1) caller.send(GET);
    await new Promise(resolve => setTimeout(resolve, 500));
    const served = up.seen.length;
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(up.seen.length).toBe(served);
    expect(served).toBeLessThan(400);
    caller.socket.resume();
    await expect.poll(() => up.seen.length, { timeout: 20_000 }).toBe(400);
  });
});

describe('HTTP/1.0', () => {
  test.each([
    ['is closed after its answer', '', 'close'],
    ['is kept when it asks for it', 'Connection: keep-alive\r\n', 'keep-alive'],
  ])('%s', async (_what, line, connection) => {
    const { gw } = await setup();
    const caller = new Caller(gw);
    caller.send(`GET /wxa/x HTTP/1.0\r\n${line}\r\n`);
    await caller.answers(1);
    expect(valuesOf(headersOf(caller.received), 'connection')).toEqual([connection]);
    if (connection === 'close') await expect.poll(() => caller.ended).toBe('end');
    else {
      caller.send(`GET /wxa/x HTTP/1.0\r\n${line}\r\n`);
      await caller.answers(2);
    }
  });

  test('gets no chunks: a body of unknown length ends with the connection', async () => {
    const body = 'x'.repeat(200_000);
    const { gw } = await setup({}, (_req, res) => {
      res.setHeader('content-type', 'image/png');
      inPieces(Buffer.from(body)).pipe(res);
    });
    const raw = await exchangeBytes(gw.port, 'GET /wxa/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(valuesOf(headersOf(raw), 'transfer-encoding')).toEqual([]);
    expect(valuesOf(headersOf(raw), 'connection')).toEqual(['close']);
    expect(raw.slice(raw.indexOf('\r\n\r\n') + 4)).toBe(body);
  });

  test('is not told to go on', async () => {
    const { gw } = await setup();
    const caller = new Caller(gw);
    caller.send('POST /wxa/x HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await breathe();
    expect(caller.received).toBe('');
    caller.send('abc');
    expect(await caller.answers(1)).toEqual(['HTTP/1.1 200']);
  });
});

describe('time', () => {
  test('a connection that says nothing is closed without a word', async () => {
    const { clock, gw } = await atTime();
    const caller = new Caller(gw);
    await once(caller.socket, 'connect');
    await breathe();
    await clock.advance(14_999);
    expect(caller.ended).toBeUndefined();
    await clock.advance(251);
    await expect.poll(() => caller.ended).toBe('end');
    expect(caller.received).toBe('');
    expect(gw.records).toEqual([]);
  });

  test('a head that comes byte by byte has no more time than any other', async () => {
    const { clock, gw } = await atTime();
    const caller = new Caller(gw);
    for (const byte of 'GET /wxa/x HTTP') {
      caller.send(byte);
      await breathe();
      await clock.advance(1000);
    }
    await expect.poll(() => caller.received).toMatch(/^HTTP\/1\.1 408 /);
    await expect.poll(() => caller.ended).toBe('end');
  });

  test('a body that does not come is given up, and the call with it', async () => {
    const { clock, gw, up } = await atTime({ settings: { timeoutMs: 300_000 } });
    const caller = new Caller(gw);
    caller.send('POST /wxa/x HTTP/1.1\r\nContent-Length: 3\r\n\r\na');
    await breathe();
    await clock.advance(59_000);
    expect(caller.received).toBe('');
    await clock.advance(1251);
    await expect.poll(() => caller.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(up.seen).toEqual([]);
    expect(gw.records.map(each => each.end)).toContain('caller-gone');
  });

  test('an idle connection is closed after its time, which starts anew with each answer', async () => {
    const { clock, gw } = await atTime();
    const caller = new Caller(gw);
    caller.send(GET);
    await caller.answers(1);
    expect(valuesOf(headersOf(caller.received), 'keep-alive')).toEqual(['timeout=65']);
    await clock.advance(60_000);
    caller.send(GET);
    await caller.answers(2);
    await clock.advance(64_000);
    expect(caller.ended).toBeUndefined();
    await clock.advance(1251);
    await expect.poll(() => caller.ended).toBe('end');
    expect(caller.received.match(/HTTP/g)).toHaveLength(2);
  });

  test('a connection on which nothing moves is broken off, though its call is still under way', async () => {
    const { clock, gw, up } = await atTime({ settings: { timeoutMs: 600_000 } }, () => {});
    const caller = new Caller(gw);
    caller.send(GET);
    await expect.poll(() => up.seen.length).toBe(1);
    await clock.advance(119_000);
    expect(caller.ended).toBeUndefined();
    await clock.advance(1251);
    await expect.poll(() => caller.ended).toBeDefined();
    expect((await gw.record(1)).end).toBe('caller-gone');
  });

  test('a caller that goes on sending after a refusal may do so for a while', async () => {
    const { clock, gw } = await atTime({ allow: ['/wxa/listed'] });
    const caller = new Caller(gw);
    caller.send(`POST /wxa/x HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1000)}`);
    expect(await caller.answers(1)).toEqual(['HTTP/1.1 403']);
    for (let i = 0; i < 5; i += 1) {
      caller.send('x'.repeat(1000));
      await breathe();
    }
    expect(caller.ended).toBeUndefined();
    await clock.advance(2251);
    await expect.poll(() => caller.ended).toBe('end');
  });

  test('a caller that does not close its side after the answer is not waited for', async () => {
    const { clock, gw } = await atTime();
    const socket = connect({ port: gw.port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    let closed = false;
    let received = '';
    socket.on('data', chunk => {
      received += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      closed = true;
    });
    const ended = once(socket, 'end');
    socket.write('GET /wxa/x HTTP/1.1\r\nConnection: close\r\n\r\n');
    await ended;
    expect(received).toContain(OK);
    await breathe();
    expect(closed).toBe(false);
    await clock.advance(2251);
    socket.write('x');
    await breathe();
    socket.write('x');
    await expect.poll(() => closed).toBe(true);
  });
});

describe('what breaks off', () => {
  test('a chunk that is not well-formed ends the call, and the answer says why', async () => {
    const { gw, up } = await setup();
    const caller = new Caller(gw);
    caller.send('POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    await breathe();
    caller.send('zz\r\n');
    expect(await caller.answers(1)).toEqual(['HTTP/1.1 400']);
    await expect.poll(() => caller.ended).toBe('end');
    expect(up.seen).toEqual([]);
    expect(gw.records.map(({ end, failure }) => [end, failure])).toContainEqual([
      'caller-gone',
      'CALLER_GONE',
    ]);
  });

  test('a body that goes wrong after an answer has begun cuts the answer off', async () => {
    const up = await startUpstreamWith((req, res) => {
      res.writeHead(200, { 'content-type': 'image/png' });
      req.on('error', () => {});
      req.pipe(res);
    });
    const gw = await startGateway({ origin: up.origin });
    onTestFinished(async () => {
      await gw.close();
      await up.close();
    });
    const caller = new Caller(gw);
    const chunk = `20000\r\n${'x'.repeat(0x20000)}\r\n`;
    caller.send(`POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
    await expect.poll(() => caller.received.length).toBeGreaterThan(1000);
    caller.send('zz\r\n');
    await expect.poll(() => caller.ended).toBe('ECONNRESET');
    expect(caller.received).not.toMatch(/\r\n0\r\n\r\n$/);
  });

  test('what is left of a refused body going wrong ends the connection without a second answer', async () => {
    const { gw } = await setup({ allow: ['/wxa/listed'] });
    const caller = new Caller(gw);
    caller.send('POST /wxa/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
    expect(await caller.answers(1)).toEqual(['HTTP/1.1 403']);
    caller.send('zz\r\n');
    await expect.poll(() => caller.ended).toBe('end');
    expect(caller.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('a caller that closes its own half while it waits is gone', async () => {
    const { gw } = await setup({}, () => {});
    const caller = new Caller(gw);
    caller.socket.end(GET);
    expect((await gw.record(1)).end).toBe('caller-gone');
    await expect.poll(() => caller.ended).toBeDefined();
  });

  test('a caller that closes its own half after it was answered gets the whole answer', async () => {
    const size = 60_000;
    const { gw } = await setup({}, (_req, res) => void res.end(Buffer.alloc(size, 'x')));
    const caller = new Caller(gw);
    caller.socket.pause();
    caller.send(GET);
    await gw.record(1);
    caller.socket.end();
    await breathe();
    caller.socket.resume();
    await expect.poll(() => caller.ended).toBe('end');
    expect(caller.received.split('\r\n\r\n')[1]).toHaveLength(size);
  });
});

describe('answers', () => {
  test('without a body say so', async () => {
    const { gw } = await setup({}, (req, res) => {
      if (req.url?.startsWith('/wxa/204')) res.writeHead(204, { 'x-a': 'b' }).end();
      else res.writeHead(200, { 'content-type': 'application/json' }).end();
    });
    const none = await exchangeBytes(gw.port, 'GET /wxa/204 HTTP/1.1\r\n\r\n');
    expect(valuesOf(headersOf(none), 'content-length')).toEqual([]);
    expect(none).toMatch(/\r\n\r\n$/);
    const empty = await exchangeBytes(gw.port, GET);
    expect(valuesOf(headersOf(empty), 'content-length')).toEqual(['0']);
    expect(valuesOf(headersOf(empty), 'transfer-encoding')).toEqual([]);
  });

  test('carry one date, the platform’s where it gives one', async () => {
    const then = 'Sun, 06 Nov 1994 08:49:37 GMT';
    const { gw } = await setup({}, (_req, res) => void res.setHeader('Date', then).end(OK));
    expect(valuesOf(headersOf(await exchangeBytes(gw.port, GET)), 'date')).toEqual([then]);
    const refused = await exchangeBytes(gw.port, 'GET /wxa//x HTTP/1.1\r\n\r\n');
    expect(valuesOf(headersOf(refused), 'date')).toEqual([expect.stringMatching(/GMT$/)]);
  });

  test('of unknown length come in chunks that hold every byte', async () => {
    const { gw } = await setup({}, (_req, res) => {
      res.setHeader('content-type', 'image/png');
      inPieces(Buffer.alloc(200_000, 'x'), 50_000).pipe(res);
    });
    const raw = await exchangeBytes(gw.port, GET);
    expect(valuesOf(headersOf(raw), 'transfer-encoding')).toEqual(['chunked']);
    let rest = raw.slice(raw.indexOf('\r\n\r\n') + 4);
    let total = 0;
    for (;;) {
      const size = Number.parseInt(rest, 16);
      rest = rest.slice(rest.indexOf('\r\n') + 2);
      if (size === 0) break;
      expect(rest.slice(0, size)).toBe('x'.repeat(size));
      expect(rest.slice(size, size + 2)).toBe('\r\n');
      rest = rest.slice(size + 2);
      total += size;
    }
    expect([total, rest]).toEqual([200_000, '\r\n']);
  });
});

describe('a listener that is about to stop', () => {
  test('says so in each answer, serves whoever comes, and leaves those alone who say nothing', async () => {
    const { gw } = await setup();
    const [kept, idle] = [new Caller(gw), new Caller(gw)];
    for (const caller of [kept, idle]) {
      caller.send(GET);
      await caller.answers(1);
    }
    gw.drain();
    kept.send(GET);
    expect(await kept.answers(2)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(kept.received.match(/\r\nconnection: .*/gi)).toEqual([
      '\r\nconnection: keep-alive',
      '\r\nconnection: close',
    ]);
    await expect.poll(() => kept.ended).toBe('end');
    const raw = await exchangeBytes(gw.port, GET);
    expect(valuesOf(headersOf(raw), 'connection')).toEqual(['close']);
    expect(idle.ended).toBeUndefined();
    await gw.close();
    await expect.poll(() => idle.ended).toBe('end');
    expect(idle.received.match(/HTTP\//g)).toHaveLength(1);
  });

  test('answers what was sent ahead, and tells with the last answer', async () => {
    const { gw } = await setup();
    const caller = new Caller(gw);
    gw.drain();
    caller.send(GET.repeat(3));
    expect(await caller.answers(3)).toHaveLength(3);
    expect(caller.received.match(/\r\nconnection: .*/gi)?.map(line => line.trim())).toEqual([
      'connection: keep-alive',
      'connection: keep-alive',
      'connection: close',
    ]);
    await expect.poll(() => caller.ended).toBe('end');
  });

  test('waits a moment for the first request of a connection that it has just accepted', async () => {
    const { clock, gw } = await atTime();
    const [slow, silent] = [new Caller(gw), new Caller(gw)];
    for (const { socket } of [slow, silent]) await once(socket, 'connect');
    await breathe();
    const closed = gw.closeWithin(60_000);
    await clock.advance(500);
    slow.send(GET);
    expect(await slow.answers(1)).toEqual(['HTTP/1.1 200']);
    expect(valuesOf(headersOf(slow.received), 'connection')).toEqual(['close']);
    expect(silent.ended).toBeUndefined();
    await clock.advance(1000);
    await expect.poll(() => silent.ended).toBeDefined();
    await closed;
  });
});
