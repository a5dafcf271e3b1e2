import { once } from 'node:events';
import { connect } from 'node:net';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { startTestBridge, type TestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

let running: TestBridge;
afterEach(() => running.close());

/** An agent that keeps one connection to each origin. */
function keeping(): Agent {
  const agent = new Agent({ connections: 1 });
  onTestFinished(() => agent.destroy());
  return agent;
}

async function ask(url: string, dispatcher: Agent = keeping()) {
  const { statusCode: status, headers, body } = await request(url, { dispatcher });
  return { status, connection: headers['connection'], body: (await body.json()) as Record<string, unknown> };
}

describe('a bridge that is told to stop', () => {
  it('is not ready from then on, serves on for the time set, and tells callers that their connections end', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock, config: { shutdown: { drainMs: 5000 } } });
    const { control, gateway } = running;
    const kept = keeping();
    expect(await ask(`${control}/readyz`, kept)).toMatchObject({ status: 200, connection: 'keep-alive' });
    expect((await ask(`${gateway}/wxa/getwxadevinfo`, kept)).connection).toBe('keep-alive');

    let isClosed = false;
    const closed = running.bridge.close().then(() => {
      isClosed = true;
    });
    const checks = { database: 'ok' };
    for (let n = 0; n < 2; n += 1) {
      expect(await ask(`${control}/readyz`, kept)).toEqual({
        ...{ status: 503, connection: 'close', body: { status: 'draining', checks } },
      });
      expect(await ask(`${gateway}/wxa/getwxadevinfo`, kept)).toMatchObject({
        ...{ status: 200, connection: 'close', body: { errcode: 0 } },
      });
      expect((await ask(`${control}/livez`)).status).toBe(200);
      await clock.advance(2400);
    }
    expect(isClosed).toBe(false);
    await clock.advance(300);
    await closed;
    for (const origin of [control, gateway])
      await expect(ask(`${origin}/livez`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(running.logs.join('')).toContain('"drainMs":5000');
  });

  it('reads the time anew from the configuration, and stops once however often it is told', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    running.reconfigure({ shutdown: { drainMs: 1000 } });
    const closing = [running.bridge.close(), running.bridge.close()];
    expect((await ask(`${running.control}/readyz`)).status).toBe(503);
    await clock.advance(1000);
    await Promise.all(closing);
    expect(running.logs.join('').match(/serving on for a while/g)).toHaveLength(1);
  });

  it('is not held up by connections that say nothing or do not end what they say', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock });
    const { control, gateway } = running.bridge;
    const sockets = [control, gateway].flatMap(address =>
      ['', 'GET /livez HT'].map(text => {
        const socket = connect(address?.port ?? 0, '127.0.0.1', () => void socket.write(text));
        socket.on('error', () => {});
        socket.resume();
        return socket;
      }),
    );
    await Promise.all(sockets.map(socket => once(socket, 'connect')));
    // They have been accepted once later ones were answered.
    for (const origin of [running.control, running.gateway]) await ask(`${origin}/livez`);
    const gone = Promise.all(sockets.map(socket => once(socket, 'close')));
    const closed = running.bridge.close();
    await clock.advance(31_000);
    await Promise.all([gone, closed]);
  });

  it('waits for calls under way as long as a call may take, and breaks off what takes longer', async () => {
    const clock = manualClock();
    running = await startTestBridge({ clock, config: { gateway: { timeoutMs: 60_000 } } });
    running.simulator.faults.add({ kind: 'silent', path: '/wxa/getwxadevinfo' });
    await ask(`${running.gateway}/cgi-bin/getcallbackip`);
    const pending = ask(`${running.gateway}/wxa/getwxadevinfo`);
    await expect.poll(() => running.simulator.faults.list()[0]?.struck).toBe(1);
    const closed = running.bridge.close();
    await clock.advance(59_000);
    const settled = pending.then(({ status, connection }) => ({ status, connection }));
    await clock.advance(1001);
    expect(await settled).toEqual({ status: 504, connection: 'close' });
    await closed;
  });
});
