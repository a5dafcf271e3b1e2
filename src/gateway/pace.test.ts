import { expect, onTestFinished, test } from 'vitest';
import { manualClock } from '../../test/support/manual-clock.ts';
import { hashCallerKey } from '../access/callers.ts';
import { callerOf, callThrough, startGateway } from './gateway.fixture.ts';
import { startUpstream } from './wire.fixture.ts';

const KEY = 'key-of-orders-0123456789';

test('a caller beyond its rate is told when to come back, in both dialects, and the platform is spared', async () => {
  const clock = manualClock();
  let reached = 0;
  const up = await startUpstream((_req, res) => {
    reached += 1;
    res.end('{"errcode":0}');
  });
  const gw = await startGateway({
    origin: up.origin,
    clock,
    callers: [
      callerOf('orders', { keys: [hashCallerKey(KEY)], rateLimit: { perSecond: 0.5, burst: 2 } }),
      callerOf('other', { addresses: ['127.0.0.1'] }),
    ],
  });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  const call = () => callThrough(gw, '/wxa/x', { headers: { 'x-bridge-key': KEY } });

  expect([(await call()).status, (await call()).status]).toEqual([200, 200]);
  const refused = await call();
  expect(refused.status).toBe(429);
  expect(refused.headers['retry-after']).toBe('2');
  expect(refused.json()).toMatchObject({
    errcode: 990439,
    error_code: '990439',
    error_type: 'GatewayError',
    request_id: refused.headers['x-openapi-seqid'],
    errmsg: expect.stringMatching(/caller orders .*callers\[orders\]\.rateLimit/),
  });
  expect(gw.records.at(-1)).toMatchObject({ failure: 'RATE_LIMITED', caller: 'orders', sends: 0 });
  expect(reached).toBe(2);
  expect((await callThrough(gw, '/wxa/x')).status).toBe(200);

  clock.jump(2000);
  expect([(await call()).status, (await call()).status]).toEqual([200, 429]);
});

test('the burst of a caller is what one second brings, unless told otherwise', async () => {
  const clock = manualClock();
  const up = await startUpstream((_req, res) => res.end('{"errcode":0}'));
  const gw = await startGateway({
    origin: up.origin,
    clock,
    callers: [callerOf('lan', { addresses: ['127.0.0.1'], rateLimit: { perSecond: 2.5 } })],
  });
  onTestFinished(async () => {
    await gw.close();
    await up.close();
  });
  const statuses = [];
  for (let turn = 0; turn < 4; turn += 1) statuses.push((await callThrough(gw, '/wxa/x')).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
});
