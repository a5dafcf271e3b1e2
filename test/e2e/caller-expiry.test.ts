import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { SHOP, startTestBridge } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';

const ADMIN_KEY = 'admin-key-of-the-tests';
const KEY = 'canary-key-with-an-end-0123456789';
const OTHER = 'canary-key-without-one-0123456789';
const EXPIRES = '2026-12-31T08:00:00+08:00';
const END = Date.parse(EXPIRES);
const PATH = '/wxa/getwxadevinfo';

const CONFIG = {
  admin: { keys: [ADMIN_KEY] },
  callers: [
    { name: 'trial', key: KEY, tokens: 'virtual', scopes: ['call', 'credential:read'], expires: EXPIRES },
    { name: 'other', key: OTHER },
  ],
};

describe('a caller whose time is over', () => {
  it('is refused by every way in, told why, and seen in the audit log', async () => {
    const clock = manualClock(END - 60_000);
    const running = await startTestBridge({ clock, config: CONFIG });
    onTestFinished(() => running.close());
    const { gateway, control } = running;
    const token = async () => {
      const query = `grant_type=client_credential&appid=${SHOP.appid}&secret=${KEY}`;
      const answer = await fetch(`${gateway}/cgi-bin/token?${query}`);
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const virtual = (await token()).body['access_token'];
    expect(virtual).toMatch(/^OBV1/);
    const ways: readonly (readonly [detail: string, ask: () => Promise<Response>])[] = [
      ['gateway', () => fetch(`${gateway}${PATH}`, { headers: { 'x-bridge-key': KEY } })],
      ['gateway', () => fetch(`${gateway}${PATH}?access_token=${virtual}`)],
      ['listApps', () => fetch(`${control}/v1/apps`, { headers: { 'x-bridge-key': KEY } })],
      ['listApps', () => fetch(`${control}/v1/apps`, { headers: { authorization: `Bearer ${KEY}` } })],
      [
        'getAccessToken',
        () =>
          fetch(`${control}/uni-open-bridge/getAccessToken`, {
            ...{ method: 'POST', body: '{"dcloudAppid":"__UNI__A","platform":"weixin-mp"}' },
            headers: { 'x-bridge-key': KEY, 'content-type': 'application/json' },
          }),
      ],
    ];
    for (const [, ask] of ways) expect((await ask()).status).toBe(200);

    clock.jump(60_000);
    for (const [, ask] of ways) {
      const refused = await ask();
      expect(refused.status).toBe(401);
      expect(await refused.text()).toContain('caller trial expired at 2026-12-31T00:00:00.000Z');
    }
    expect(await token()).toMatchObject({ status: 401, body: { errcode: 990411 } });
    expect((await fetch(`${gateway}${PATH}`, { headers: { 'x-bridge-key': OTHER } })).status).toBe(200);

    const admin = createClient({ url: control, adminKey: ADMIN_KEY });
    await clock.advance(2000);
    const { entries } = await admin.listAudit({ action: 'refused' });
    const told = entries.filter(({ actor, outcome }) => actor === 'trial' && outcome === 'CALLER_EXPIRED');
    expect(new Set(told.map(({ detail }) => detail))).toEqual(
      new Set([...ways.map(([detail]) => detail), 'token']),
    );
    expect(running.logs.join('') + JSON.stringify(entries)).not.toContain(KEY);
  });

  it('is told of in the list of callers, and in the log a week before', async () => {
    const clock = manualClock(END - 8 * 24 * 60 * 60_000);
    const running = await startTestBridge({ clock, config: CONFIG });
    onTestFinished(() => running.close());
    const warned = () =>
      running.logs.filter(line => line.includes('caller trial')).map(line => JSON.parse(line).msg);
    expect(warned()).toEqual([]);
    const { callers } = await createClient({ url: running.control, adminKey: ADMIN_KEY }).listCallers();
    expect(callers.map(({ expires }) => expires)).toEqual(['2026-12-31T00:00:00.000Z', null]);
    clock.jump(2 * 24 * 60 * 60_000);
    running.reconfigure({});
    expect(warned()).toEqual([
      'caller trial expires at 2026-12-31T00:00:00.000Z and is refused from then on',
    ]);
    clock.jump(8 * 24 * 60 * 60_000);
    await running.restart();
    expect(warned()[1]).toBe('caller trial expired at 2026-12-31T00:00:00.000Z and is refused');
  });
});
