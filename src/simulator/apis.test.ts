import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodePng } from './png-decode.fixture.ts';
import { type Harness, MP, OA, START, startHarness } from './simulator.fixture.ts';

let h: Harness;
let mp: string;
let oa: string;
beforeEach(async () => {
  h = await startHarness();
  mp = `access_token=${await h.token(MP)}`;
  oa = `access_token=${await h.token(OA)}`;
});
afterEach(() => h.simulator.close());

describe('content security', () => {
  const GOOD = { openid: 'o1', version: 2, scene: 1, content: 'hello' };
  const check = async (body: object) => (await h.post(`/wxa/msg_sec_check?${mp}`, body)).json;

  test('msg_sec_check: pass and risky', async () => {
    expect(await check(GOOD)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      result: { suggest: 'pass', label: 100 },
      detail: [{ strategy: 'content_model', errcode: 0, suggest: 'pass', label: 100, prob: 90 }],
      trace_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/),
    });
    expect((await check({ ...GOOD, content: 'so risky' }))['result']).toEqual({
      suggest: 'risky',
      label: 20001,
    });
  });

  test.each([
    [{ content: '' }, 47001],
    [{ version: 1 }, 47001],
    [{ scene: 9 }, 47001],
    [{ openid: undefined }, 40003],
  ])('msg_sec_check refuses %j', async (change, errcode) => {
    expect((await check({ ...GOOD, ...change }))['errcode']).toBe(errcode);
  });

  test('media_check_async', async () => {
    const body = { openid: 'o1', version: 2, scene: 1, media_url: 'https://a/b.png', media_type: 2 };
    expect((await h.post(`/wxa/media_check_async?${mp}`, body)).json['trace_id']).toBeDefined();
    expect((await h.post(`/wxa/media_check_async?${mp}`, { ...body, media_type: 3 })).json['errcode']).toBe(
      47001,
    );
  });

  test('img_sec_check', async () => {
    const send = async (filename: string, content = 'png') => {
      const form = new FormData();
      form.append('media', new Blob([content]), filename);
      return (await h.post(`/wxa/img_sec_check?${mp}`, form)).json['errcode'];
    };
    expect(await send('a.png')).toBe(0);
    expect(await send('risky.png')).toBe(87014);
    expect(await send('a.png', '')).toBe(41005);
    expect((await h.post(`/wxa/img_sec_check?${mp}`, {})).json['errcode']).toBe(41005);
  });
});

describe('codes', () => {
  test.each([
    ['/wxa/getwxacode', { path: 'pages/a' }, 430],
    ['/wxa/getwxacode', { path: 'pages/a', width: 300 }, 300],
    ['/wxa/getwxacodeunlimit', { scene: 'a=1', page: 'pages/a', width: 5000 }, 1280],
    ['/cgi-bin/wxaapp/createwxaqrcode', { path: 'pages/a', width: 1 }, 280],
  ])('%s %j is a PNG', async (path, body, size) => {
    const { bytes, headers } = await h.post(`${path}?${mp}`, body);
    expect(headers.get('content-type')).toBe('image/png');
    const { width, height } = decodePng(bytes);
    expect([width, height]).toEqual([size, size]);
    expect((await h.post(`${path}?${mp}`, body)).bytes.equals(bytes)).toBe(true);
  });

  test('refusals are JSON', async () => {
    expect((await h.post(`/wxa/getwxacode?${mp}`, {})).json['errcode']).toBe(47001);
    expect((await h.post(`/wxa/getwxacodeunlimit?${mp}`, { scene: 'x'.repeat(33) })).json['errcode']).toBe(
      40129,
    );
  });

  test('links', async () => {
    const link = async (path: string, field: string, body: object, token = mp) =>
      String((await h.post(`${path}?${token}`, body)).json[field]);
    expect(await link('/wxa/generatescheme', 'openlink', {})).toMatch(/^weixin:\/\/dl\/business\/\?t=.{11}$/);
    expect(await link('/wxa/generate_urllink', 'url_link', {})).toMatch(/^https:\/\/wxaurl\.cn\/.{11}$/);
    expect(await link('/wxa/genwxashortlink', 'link', { page_url: 'p' })).toMatch(/^#小程序:\/\//);
    expect(await link('/cgi-bin/shorturl', 'short_url', { long_url: 'x' }, oa)).toMatch(/^https:/);
    const body = { action_name: 'QR_SCENE', action_info: { scene: { scene_id: 1 } }, expire_seconds: 90 };
    const { json } = await h.post(`/cgi-bin/qrcode/create?${oa}`, body);
    expect(json).toEqual({ ticket: expect.any(String), expire_seconds: 90, url: expect.any(String) });
  });

  test('shorten and fetch', async () => {
    const { json } = await h.post(`/cgi-bin/shorten/gen?${oa}`, { long_data: 'loooong', expire_seconds: 60 });
    const fetched = async () =>
      (await h.post(`/cgi-bin/shorten/fetch?${oa}`, { short_key: json['short_key'] })).json;
    expect(await fetched()).toMatchObject({
      long_data: 'loooong',
      create_time: START / 1000,
      expire_seconds: 60,
    });
    h.simulator.clock.advance(60_000);
    expect((await fetched())['errcode']).toBe(40097);
  });
});

describe('menus, messages, users', () => {
  test('a menu is created, read and deleted', async () => {
    const menu = { button: [{ type: 'click', name: 'a', key: 'k' }] };
    expect((await h.get(`/cgi-bin/menu/get?${oa}`)).json['errcode']).toBe(46003);
    expect((await h.post(`/cgi-bin/menu/create?${oa}`, menu)).json).toEqual({ errcode: 0, errmsg: 'ok' });
    const { menuid } = (await h.post(`/cgi-bin/menu/addconditional?${oa}`, menu)).json;
    expect((await h.get(`/cgi-bin/menu/get?${oa}`)).json).toEqual({
      menu,
      conditionalmenu: [{ ...menu, menuid: Number(menuid) }],
    });
    await h.post(`/cgi-bin/menu/delconditional?${oa}`, { menuid });
    expect((await h.get(`/cgi-bin/menu/get?${oa}`)).json).toEqual({ menu });
    expect((await h.get(`/cgi-bin/get_current_selfmenu_info?${oa}`)).json['is_menu_open']).toBe(1);
    await h.get(`/cgi-bin/menu/delete?${oa}`);
    expect((await h.get(`/cgi-bin/menu/get?${oa}`)).json['errcode']).toBe(46003);
    expect((await h.post(`/cgi-bin/menu/create?${oa}`, { button: [] })).json['errcode']).toBe(40016);
  });

  test('messages', async () => {
    const template = { touser: 'o1', template_id: 't', data: {} };
    const sent = async () => (await h.post(`/cgi-bin/message/template/send?${oa}`, template)).json;
    const [first, second] = [await sent(), await sent()];
    expect(first).toEqual({ errcode: 0, errmsg: 'ok', msgid: expect.any(Number) });
    expect(second['msgid']).not.toBe(first['msgid']);
    const post = async (path: string, body: object) => (await h.post(`${path}?${mp}`, body)).json['errcode'];
    expect(await post('/cgi-bin/message/subscribe/send', template)).toBe(0);
    expect(await post('/cgi-bin/message/subscribe/send', { ...template, touser: '' })).toBe(40003);
    expect(await post('/cgi-bin/message/subscribe/send', { ...template, template_id: '' })).toBe(40037);
    const custom = { touser: 'o1', msgtype: 'text', text: { content: 'hi' } };
    expect(await post('/cgi-bin/message/custom/send', custom)).toBe(0);
    expect(await post('/cgi-bin/message/custom/send', { ...custom, msgtype: 'image' })).toBe(40008);
  });

  test('followers and tags', async () => {
    const fans = (await h.get(`/cgi-bin/user/get?${oa}`)).json;
    const openids = (fans['data'] as { openid: string[] }).openid;
    expect(fans).toMatchObject({ total: 3, count: 3, next_openid: openids[2] });
    const rest = (await h.get(`/cgi-bin/user/get?${oa}&next_openid=${openids[0]}`)).json;
    expect(rest).toMatchObject({ total: 3, count: 2, data: { openid: openids.slice(1) } });
    expect((await h.get(`/cgi-bin/user/info?${oa}&openid=${openids[0]}`)).json).toMatchObject({
      subscribe: 1,
    });
    expect((await h.get(`/cgi-bin/user/info?${oa}`)).json['errcode']).toBe(40003);

    const { tag } = (await h.post(`/cgi-bin/tags/create?${oa}`, { tag: { name: 'a' } })).json as {
      tag: { id: number };
    };
    await h.post(`/cgi-bin/tags/update?${oa}`, { tag: { id: tag.id, name: 'b' } });
    expect((await h.get(`/cgi-bin/tags/get?${oa}`)).json['tags']).toEqual([
      { id: tag.id, name: 'b', count: 0 },
    ]);
    await h.post(`/cgi-bin/tags/delete?${oa}`, { tag: { id: tag.id } });
    expect((await h.get(`/cgi-bin/tags/get?${oa}`)).json['tags']).toEqual([]);
  });
});

describe('media', () => {
  const upload = (content: Uint8Array<ArrayBuffer>, target = `/cgi-bin/media/upload?type=image&${mp}`) => {
    const form = new FormData();
    form.append('media', new Blob([content], { type: 'image/png' }), 'a.png');
    return h.post(target, form);
  };
  const content = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256));

  test('the same bytes, type and name come back, for three days and to their account alone', async () => {
    const { json } = await upload(content);
    expect(json).toEqual({ type: 'image', media_id: expect.any(String), created_at: START / 1000 });
    const got = await h.get(`/cgi-bin/media/get?media_id=${json['media_id']}&${mp}`);
    expect(got.bytes.equals(content)).toBe(true);
    expect(got.headers.get('content-type')).toBe('image/png');
    expect(got.headers.get('content-disposition')).toBe('attachment; filename="a.png"');
    expect((await h.get(`/cgi-bin/media/get?media_id=${json['media_id']}&${oa}`)).json['errcode']).toBe(
      40007,
    );
    expect((await h.get(`/cgi-bin/media/get?media_id=x&${mp}`)).json['errcode']).toBe(40007);
    h.simulator.clock.advance(3 * 86_400_000);
    const later = `access_token=${await h.token(MP)}`;
    expect((await h.get(`/cgi-bin/media/get?media_id=${json['media_id']}&${later}`)).json['errcode']).toBe(
      40007,
    );
  });

  test('32 MiB go in and come out', async () => {
    const big = Buffer.alloc(32 * 1024 * 1024, 'pattern');
    const { json } = await upload(big);
    const { bytes } = await h.get(`/cgi-bin/media/get?media_id=${json['media_id']}&${mp}`);
    const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    expect(digest(bytes)).toBe(digest(big));
  });

  test('refusals', async () => {
    expect((await upload(content, `/cgi-bin/media/upload?type=x&${mp}`)).json['errcode']).toBe(40004);
    expect((await h.post(`/cgi-bin/media/upload?type=image&${mp}`, {})).json['errcode']).toBe(41005);
  });

  test('permanent material', async () => {
    const { json } = await upload(content, `/cgi-bin/material/add_material?type=image&${oa}`);
    const { media_id } = json;
    const count = async () => (await h.get(`/cgi-bin/material/get_materialcount?${oa}`)).json;
    expect(await count()).toEqual({ voice_count: 0, video_count: 0, image_count: 1, news_count: 0 });
    expect((await h.post(`/cgi-bin/material/get_material?${oa}`, { media_id })).bytes.equals(content)).toBe(
      true,
    );
    const list = (
      await h.post(`/cgi-bin/material/batchget_material?${oa}`, { type: 'image', offset: 0, count: 5 })
    ).json;
    expect(list).toMatchObject({ total_count: 1, item_count: 1, item: [{ media_id, name: 'a.png' }] });
    expect((await h.post(`/cgi-bin/material/del_material?${oa}`, { media_id })).json['errcode']).toBe(0);
    expect((await h.post(`/cgi-bin/material/get_material?${oa}`, { media_id })).json['errcode']).toBe(40007);
  });
});

describe('quota and diagnosis', () => {
  const quota = async (cgi_path: unknown, token = oa) =>
    (await h.post(`/cgi-bin/openapi/quota/get?${token}`, { cgi_path })).json;

  test('quota/get counts what was used and clear_quota resets it', async () => {
    for (let i = 0; i < 3; i += 1) await h.get(`/cgi-bin/getcallbackip?${oa}`);
    await h.classic(OA);
    expect((await quota('/cgi-bin/getcallbackip'))['quota']).toEqual({
      daily_limit: 100_000_000,
      used: 3,
      remain: 99_999_997,
    });
    expect((await quota('/cgi-bin/token'))['quota']).toEqual({ daily_limit: 2000, used: 1, remain: 1999 });
    expect((await quota('/cgi-bin/stable_token'))['rate_limit']).toEqual({
      call_count: 10_000,
      refresh_second: 60,
    });
    expect((await h.post(`/cgi-bin/clear_quota?${oa}`, { appid: OA.appid })).json['errcode']).toBe(0);
    expect((await quota('/cgi-bin/getcallbackip'))['quota']).toMatchObject({ used: 0 });
  });

  test.each([
    ['cgi-bin/token', 76021],
    [undefined, 76021],
    ['/nope', 76021],
    ['/sns/auth', 76022],
    ['/wxa/msg_sec_check', 76022],
  ])('quota/get of %j → %i', async (path, errcode) => {
    expect((await quota(path))['errcode']).toBe(errcode);
  });

  test('a daily limit of an API', async () => {
    h.simulator.setAccount(OA.appid, { quotas: { paths: { '/cgi-bin/getcallbackip': 1 } } });
    await h.get(`/cgi-bin/getcallbackip?${oa}`);
    expect((await h.get(`/cgi-bin/getcallbackip?${oa}`)).json['errcode']).toBe(45009);
  });

  test('ten clears a month, by either page; the secret alone clears the token quota', async () => {
    h.simulator.setAccount(OA.appid, { quotas: { classicPerDay: 1 } });
    const v2 = { appid: OA.appid, appsecret: OA.secret };
    for (let i = 0; i < 5; i += 1) {
      expect((await h.classic(OA)).json['expires_in']).toBe(7200);
      expect((await h.classic(OA)).json['errcode']).toBe(45009);
      expect((await h.post('/cgi-bin/clear_quota/v2', v2)).json['errcode']).toBe(0);
      expect((await h.post(`/cgi-bin/clear_quota?${oa}`, { appid: OA.appid })).json['errcode']).toBe(0);
    }
    expect((await h.post('/cgi-bin/clear_quota/v2', v2)).json['errcode']).toBe(48006);
    expect((await h.post(`/cgi-bin/clear_quota?${oa}`, { appid: OA.appid })).json['errcode']).toBe(48006);
    h.simulator.clock.set(Date.parse('2024-02-01T00:00:00+08:00'));
    expect((await h.post(`/cgi-bin/clear_quota/v2?${new URLSearchParams(v2)}`)).json['errcode']).toBe(0);
  });

  test.each([
    [{ appid: 'other', appsecret: 's' }, 40013],
    [{ appsecret: 's' }, 41002],
    [{ appid: OA.appid }, 41004],
    [{ appid: OA.appid, appsecret: 'x' }, 40125],
  ])('clear_quota/v2 %j → %i', async (body, errcode) => {
    expect((await h.post('/cgi-bin/clear_quota/v2', body)).json['errcode']).toBe(errcode);
  });

  test('clear_quota of another appid → 40013', async () => {
    expect((await h.post(`/cgi-bin/clear_quota?${oa}`, { appid: MP.appid })).json['errcode']).toBe(40013);
  });

  test('callback/check', async () => {
    const check = async (body: object) => (await h.post(`/cgi-bin/callback/check?${oa}`, body)).json;
    const all = await check({ action: 'all', check_operator: 'DEFAULT' });
    expect(Object.keys(all)).toEqual(['dns', 'ping']);
    expect((await check({ action: 'x', check_operator: 'DEFAULT' }))['errcode']).toBe(40202);
    expect((await check({ action: 'dns', check_operator: 'x' }))['errcode']).toBe(40203);
  });

  test('the rest: address lists, domains, analysis', async () => {
    expect((await h.get(`/cgi-bin/get_api_domain_ip?${mp}`)).json['ip_list']).toContain('203.0.113.10');
    expect((await h.get(`/wxa/getwxadevinfo?${mp}`)).json['requestdomain']).toEqual([
      'https://app.example.com',
    ]);
    expect((await h.post(`/datacube/getusersummary?${oa}`, {})).json).toEqual({ list: [] });
  });
});

describe('rid', () => {
  const ask = async (rid: string, token: string) =>
    (await h.post(`/cgi-bin/openapi/rid/get?${token}`, { rid })).json;
  const ridOf = (json: Record<string, unknown>) => String(json['errmsg']).split(' rid: ')[1] ?? '';

  test('a failed call can be looked up by its account, with its secrets masked', async () => {
    const failed = await h.post(`/wxa/msg_sec_check?x=1&${mp}`, {
      content: 'c',
      version: 2,
      scene: 1,
      session_key: 'k',
    });
    const rid = ridOf(failed.json);
    expect(await ask(rid, mp)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      request: {
        invoke_time: START / 1000,
        cost_in_ms: 0,
        request_url: '/wxa/msg_sec_check?x=1&access_token=***',
        request_body: '{"content":"c","version":2,"scene":1,"session_key":"***"}',
        response_body: failed.bytes.toString(),
        client_ip: '127.0.0.1',
      },
    });
    expect((await ask(rid, oa))['errcode']).toBe(76003);
    expect(h.simulator.state.rid(rid)?.errcode).toBe(40003);
  });

  test.each([
    ['text', 76002],
    ['', 76002],
    [`${(START / 1000).toString(16)}-00000000-00000000`, 76001],
    [`${(START / 1000 - 8 * 86_400).toString(16)}-00000000-00000000`, 76004],
    [`${(START / 1000 + 60).toString(16)}-00000000-00000000`, 76004],
  ])('%j → %i', async (rid, errcode) => {
    expect((await ask(rid, mp))['errcode']).toBe(errcode);
  });

  test('it is kept for 7 days', async () => {
    const rid = ridOf((await h.post(`/wxa/msg_sec_check?${mp}`)).json);
    h.simulator.clock.advance(7 * 86_400_000);
    expect((await ask(rid, `access_token=${await h.token()}`))['errcode']).toBe(0);
    h.simulator.clock.advance(1000);
    expect((await ask(rid, `access_token=${await h.token()}`))['errcode']).toBe(76004);
  });

  test('the log is bounded, the oldest call is forgotten first', async () => {
    const small = await startHarness({ ridLogSize: 2 });
    const rids: string[] = [];
    for (let i = 0; i < 3; i += 1) rids.push(ridOf((await small.get('/cgi-bin/getcallbackip')).json));
    expect(rids.map(rid => small.simulator.state.rid(rid)?.errcode)).toEqual([undefined, 41001, 41001]);
    await small.simulator.close();
  });

  test('no secret and no token is in the log', async () => {
    const failed = [
      await h.get(`/cgi-bin/token?grant_type=x&appid=${MP.appid}&secret=${MP.secret}`),
      await h.post('/cgi-bin/stable_token', { grant_type: 'x', appid: MP.appid, secret: MP.secret }),
      await h.post('/cgi-bin/stable_token', `{"secret":"${MP.secret}", broken`),
    ];
    for (const { json } of failed) {
      const record = h.simulator.state.rid(ridOf(json));
      expect(record?.errcode).toBe(json['errcode']);
      expect(JSON.stringify(record)).not.toContain(MP.secret);
    }
  });
});
