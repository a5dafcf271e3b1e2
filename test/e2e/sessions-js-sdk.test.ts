import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NEWS } from '../support/bridge.ts';
import { openStage, refusalOf, type Stage } from './sessions.fixture.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

/** The ticket in the bridge's hands, as the gateway hands it to SDKs that sign for themselves. */
async function ticketOf({ running, simulator, hide }: Stage, type: 'jsapi' | 'wx_card'): Promise<string> {
  const url = `${running.gateway}/cgi-bin/ticket/getticket?type=${type}&from_appid=${NEWS.appid}`;
  const { ticket } = (await (await fetch(url)).json()) as { ticket: string };
  expect(simulator.state.isTicketValid(NEWS.appid, type, ticket)).toBe(true);
  hide(ticket);
  return ticket;
}

describe('signing for pages', () => {
  it('signs a page with the ticket, which it does not show', async () => {
    const stage = await openStage();
    const url = 'https://shop.example/goods?id=1&q=%E4%B8%AD';
    const signed = await stage.bridge.signPage({ appid: 'news', url: `${url}#/detail` });
    const { appId, nonceStr, timestamp, signature } = signed;
    const ticket = await ticketOf(stage, 'jsapi');
    expect(appId).toBe(NEWS.appid);
    expect(Math.abs(timestamp - Date.now() / 1000)).toBeLessThan(60);
    expect(signature).toBe(
      sha1(`jsapi_ticket=${ticket}&noncestr=${nonceStr}&timestamp=${timestamp}&url=${url}`),
    );
    const next = await stage.bridge.signPage({ appid: NEWS.appid, url });
    expect(next.nonceStr).not.toBe(nonceStr);
    expect(stage.callsOf('/cgi-bin/ticket/getticket', NEWS.appid)).toBe(1);
  });

  it('signs with the nonce and the time it is given', async () => {
    const { bridge } = await openStage();
    const page = { url: 'https://shop.example/', nonceStr: 'Wm3WZYTPz0wzccnW', timestamp: 1414587457 };
    const { url: _, ...moment } = page;
    const signed = await bridge.signPage({ appid: 'news', ...page });
    expect(signed).toMatchObject(moment);
    expect(await bridge.signPage({ appid: 'news', ...page })).toEqual(signed);
  });

  it('signs cards to add and to choose from with the card ticket', async () => {
    const stage = await openStage();
    const { bridge } = stage;
    const { cardId, cardExt } = await bridge.signCardToAdd({ appid: 'news', cardId: 'pCard', code: '77' });
    const choice = await bridge.signCardsToChoose({ appid: 'news', cardType: 'GROUPON' });
    const ticket = await ticketOf(stage, 'wx_card');
    expect(cardId).toBe('pCard');
    const { signature, timestamp, nonce_str } = JSON.parse(cardExt) as Record<string, string>;
    expect(signature).toBe(sha1([ticket, 'pCard', '77', timestamp, nonce_str].sort().join('')));
    const { cardSign, ...rest } = choice;
    expect(rest).toMatchObject({ cardId: '', shopId: '', cardType: 'GROUPON', signType: 'SHA1' });
    expect(cardSign).toBe(
      sha1([ticket, NEWS.appid, String(rest.timestamp), rest.nonceStr, 'GROUPON'].sort().join('')),
    );
  });

  it('says that mini programs have no tickets', async () => {
    const { bridge } = await openStage();
    expect(await refusalOf(bridge.signPage({ appid: 'shop', url: 'https://shop.example/' }))).toMatchObject({
      status: 503,
      errcode: 990503,
      message: expect.stringContaining('weixin-h5'),
    });
  });

  it("tells the platform's refusal of a ticket with its errcode", async () => {
    const { simulator, bridge } = await openStage();
    simulator.faults.add({ kind: 'errcode', errcode: 45009, path: '/cgi-bin/ticket/getticket' });
    expect(await refusalOf(bridge.signPage({ appid: 'news', url: 'https://shop.example/' }))).toMatchObject({
      status: 503,
      errcode: 45009,
    });
  });
});
