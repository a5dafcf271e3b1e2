import { request as undiciRequest } from 'undici';
import { describe, expect, it } from 'vitest';
import { METHOD_NAMES } from '../../src/common/methods.ts';
import { manualClock } from '../support/manual-clock.ts';
import { DCLOUD, SHOP, secretOf, startStage } from './uni-open-bridge.fixture.ts';

const KEY = { dcloudAppid: DCLOUD, platform: 'weixin-mp' };
const USER = { ...KEY, openid: 'canary-openid-of-ann' };
const SESSION = { session_key: 'canary-session-key' };
const FAULT = { errCode: 'UNI_OPEN_BRIDGE_SYSTEM_ERROR', errMsg: expect.any(String) };

describe('where the functions are', () => {
  it('answers all of them, and no other verb, name or path', async () => {
    const stage = await startStage();
    for (const method of METHOD_NAMES) {
      const { status, body, headers } = await stage.post(method, {});
      expect({ method, status, body, reason: headers.get('x-bridge-error') }).toEqual({
        ...{ method, status: 400, reason: 'REQUEST_MALFORMED' },
        body: { ...FAULT, errMsg: expect.stringContaining('platform is missing') },
      });
    }
    for (const [path, message] of [
      ['getaccesstoken', 'there is no method "getaccesstoken"; did you mean getAccessToken?'],
      ['get%41ccessToken', 'there is no method "get%41ccessToken"; did you mean getAccessToken?'],
      ['getAccessToken/now', 'there is nothing below /uni-open-bridge/getAccessToken'],
      ['getAccessToken//', 'there is nothing below /uni-open-bridge/getAccessToken'],
      ['', 'there is no method in /uni-open-bridge'],
      ['_timing', 'the methods are getAccessToken'],
    ] as const) {
      const { status, body } = await stage.post(path, KEY);
      expect({ path, status, body }).toEqual({
        path,
        status: 404,
        body: { ...FAULT, errMsg: expect.stringContaining(message) },
      });
    }
    expect((await stage.post('getAccessToken/', KEY)).status).toBe(200);
    expect((await stage.post('getAccessToken?platform=qq-mp', KEY)).status).toBe(200);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'] as const)(
    '%s is told to be POST',
    async method => {
      const stage = await startStage();
      const answer = await undiciRequest(`${stage.control}/uni-open-bridge/setTicket`, { method });
      const text = await answer.body.text();
      expect({ status: answer.statusCode, allow: answer.headers['allow'] }).toEqual({
        status: 405,
        allow: 'POST',
      });
      if (method !== 'HEAD')
        expect(JSON.parse(text)).toEqual({
          ...FAULT,
          errMsg: expect.stringContaining(`setTicket is called by POST, not ${method}`),
        });
    },
  );

  it('can be elsewhere', async () => {
    const stage = await startStage({ config: { uniOpenBridge: { prefix: '/credentials/v2' } } });
    const answer = await fetch(`${stage.control}/credentials/v2/getAccessToken`, {
      ...{ method: 'POST', body: JSON.stringify(KEY) },
    });
    expect(answer.status).toBe(200);
    expect((await fetch(`${stage.control}/uni-open-bridge/getAccessToken`, { method: 'POST' })).status).toBe(
      404,
    );
  });
});

describe('what is sent', () => {
  it('is JSON, whatever its content type, or a form for what takes no value', async () => {
    const stage = await startStage();
    const text = JSON.stringify({ ...KEY, detail: true });
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'text/plain',
      'application/octet-stream',
      'application/x-www-form-urlencoded',
    ]) {
      const { status, body } = await stage.post('getAccessToken', text, { 'content-type': type });
      expect({ type, status, body }).toMatchObject({ type, status: 200, body: { state: 'usable' } });
    }
    const bare = await undiciRequest(`${stage.control}/uni-open-bridge/getAccessToken`, {
      method: 'POST',
      body: `\ufeff${text}`,
    });
    expect(await bare.body.json()).toMatchObject({ state: 'usable' });
    const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const inForm = new URLSearchParams({ ...KEY, obtain: 'false', detail: 'true' }).toString();
    expect((await stage.post('getAccessToken', inForm, form)).body).toMatchObject({ state: 'usable' });
    expect((await stage.post('removeAccessToken', inForm, form)).body).toEqual({ errCode: 0, errMsg: '' });
    expect((await stage.post('getAccessToken', inForm, form)).body).toMatchObject({ state: 'absent' });
    expect((await stage.post('setAccessToken', `${inForm}&value=x`, form)).body).toMatchObject({
      errMsg: expect.stringContaining('a form cannot carry a value object'),
    });
    expect((await stage.post('getAccessToken', `${inForm}&platform=qq-mp`, form)).body).toMatchObject({
      errMsg: expect.stringContaining('more than once'),
    });
  });

  it.each([
    ['nothing', '', 400, 'the request has no body'],
    ['broken JSON', '{"dcloudAppid":"canary', 400, 'the body is not JSON'],
    ['an array', '[]', 400, 'the body is not a JSON object'],
    ['null', 'null', 400, 'the body is not a JSON object'],
    ['base64 of JSON', Buffer.from(JSON.stringify(KEY)).toString('base64'), 400, 'the body is not JSON'],
    ['too much', JSON.stringify({ ...KEY, note: 'x'.repeat(140_000) }), 413, 'larger than 131072 bytes'],
    ['a switch as text', JSON.stringify({ ...KEY, detail: 'true' }), 400, 'detail must be true or false'],
  ])('is refused when it is %s', async (_, sent, status, message) => {
    const stage = await startStage();
    const answer = await stage.post('getAccessToken', sent);
    expect({ status: answer.status, body: answer.body }).toEqual({
      status,
      body: { ...FAULT, errMsg: expect.stringContaining(message) },
    });
    expect(answer.text).not.toContain('canary');
  });

  it('is refused when it is not UTF-8', async () => {
    const stage = await startStage();
    const answer = await fetch(`${stage.control}/uni-open-bridge/getAccessToken`, {
      method: 'POST',
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect(await answer.json()).toEqual({
      ...FAULT,
      errMsg: expect.stringContaining('the body is not UTF-8'),
    });
  });

  it('may hold fields of its sender, but no misspelt life', async () => {
    const stage = await startStage();
    const set = (more: object) => stage.post('setSessionKey', { ...USER, value: SESSION, ...more });
    expect((await set({ nonce: 'n1', traceId: 7, note: null })).body).toEqual({ errCode: 0, errMsg: '' });
    for (const name of ['expires_in', 'expireIn', 'expiresin', 'expires'])
      expect((await set({ [name]: 60 })).body).toEqual({
        ...FAULT,
        errMsg: expect.stringContaining(`"${name}" is not a field; did you mean expiresIn?`),
      });
    expect((await set({ expires_in: 7200, expiresIn: 60 })).body).toEqual({ errCode: 0, errMsg: '' });
    expect((await stage.post('getSessionKey', { ...USER, expires: 60 })).body).toEqual(SESSION);
  });

  it('may hold names that mean something in JavaScript', async () => {
    const stage = await startStage();
    const body = `{"__proto__":{"platform":"qq-mp"},"constructor":{"prototype":{}},"dcloudAppid":"${DCLOUD}","platform":"weixin-mp","openid":"o1","value":{"session_key":"k","__proto__":{"a":1},"constructor":{"prototype":1}}}`;
    expect((await stage.post('setSessionKey', body)).body).toEqual({ errCode: 0, errMsg: '' });
    expect((await stage.post('getSessionKey', { ...KEY, openid: 'o1' })).text).toBe(
      '{"session_key":"k","__proto__":{"a":1},"constructor":{"prototype":1}}',
    );
  });
});

describe('what is answered', () => {
  it('is kept by nobody on the way, and says which app was meant', async () => {
    const stage = await startStage();
    const { headers } = await stage.post('getTicket', KEY);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-bridge-app')).toBe('weixin-h5:wx00000000000000b2');
  });

  it('tells what remains when asked to', async () => {
    const clock = manualClock();
    const stage = await startStage({ clock });
    const detail = async () => (await stage.post('getSessionKey', { ...USER, detail: true })).body;
    expect(await detail()).toEqual({ value: null, expiresIn: null, state: 'absent', reason: null });
    await stage.post('setSessionKey', { ...USER, value: SESSION, expiresIn: 100.5 });
    expect(await detail()).toEqual({ value: SESSION, expiresIn: 100, state: 'usable', reason: null });
    await clock.advance(40_600);
    expect(await detail()).toMatchObject({ expiresIn: 59 });
    await clock.advance(59_899);
    expect(await detail()).toMatchObject({ expiresIn: 0, state: 'usable' });
    await clock.advance(1);
    expect(await detail()).toEqual({ value: null, expiresIn: null, state: 'absent', reason: null });
    await stage.post('setSessionKey', { ...USER, value: SESSION });
    expect(await detail()).toMatchObject({ expiresIn: -1 });
  });

  it('says that a user must log in again', async () => {
    const clock = manualClock();
    const stage = await startStage({ clock });
    const key = { ...USER, platform: 'weixin-h5' };
    await stage.post('setUserAccessToken', { ...key, value: { access_token: 'u' }, expiresIn: 60 });
    await clock.advance(60_000);
    expect((await stage.post('getUserAccessToken', { ...key, detail: true })).body).toEqual({
      ...{ value: null, expiresIn: null, state: 'login-required' },
      reason: expect.stringContaining('the user must log in again'),
    });
    expect((await stage.post('getUserAccessToken', key)).text).toBe('null');
  });

  it("carries the platform's errcode as a number, and what to do", async () => {
    const stage = await startStage({ accounts: { shop: { ipWhitelist: ['203.0.113.9'] } } });
    const { status, body, headers } = await stage.post('getAccessToken', KEY);
    expect({ status, body, reason: headers.get('x-bridge-error') }).toEqual({
      ...{ status: 503, reason: 'CREDENTIAL_UNAVAILABLE' },
      body: {
        errCode: 40164,
        errMsg: expect.stringContaining(`add 127.0.0.1 to the IP list of ${SHOP.appid}`),
      },
    });
  });

  it("takes uniCloud's form when set to, at once", async () => {
    const stage = await startStage({ accounts: { shop: { ipWhitelist: ['203.0.113.9'] } } });
    stage.reconfigure({ uniOpenBridge: { errors: 'uniCloud' } });
    const said = async (method: string, body: unknown) => {
      const answer = await stage.post(method, body);
      expect(answer.status).toBe(200);
      return answer.body;
    };
    expect(await said('getAccessToken', KEY)).toEqual({
      success: false,
      error: { code: 'FunctionBizError', message: expect.stringMatching(/^40164:/) },
    });
    expect(await said('getAccessToken', {})).toEqual({
      success: false,
      error: {
        code: 'FunctionBizError',
        message: expect.stringMatching(/^UNI_OPEN_BRIDGE_SYSTEM_ERROR:platform is missing/),
      },
    });
    expect(await said('getAccesToken', KEY)).toMatchObject({ success: false });
    expect(await said('setSessionKey', { ...USER, value: SESSION })).toEqual({ errCode: 0, errMsg: '' });
    expect(await said('getSessionKey', USER)).toEqual(SESSION);
    await expect(stage.remote().getAccessToken(KEY)).rejects.toMatchObject({
      errCode: 40164,
      reason: 'CREDENTIAL_UNAVAILABLE',
    });
    await expect(stage.remote().getAccessToken({})).rejects.toMatchObject({ reason: 'REQUEST_MALFORMED' });
  });
});

describe('the log', () => {
  it('has every access, without secret, value or user', async () => {
    const stage = await startStage();
    const { body } = await stage.post('getAccessToken', KEY);
    await stage.post('setSessionKey', { ...USER, value: SESSION });
    await stage.post('getSessionKey', USER);
    await stage.post('removeSessionKey', USER);
    await stage.post('getSessionKey', { ...USER, platform: 'canary' });
    await stage.post('setSessionKey', { ...USER, value: { session_key: '' } });
    await stage.post('getSessionKeys', USER);
    await stage.post('getEncryptKey', { ...USER, version: 1 });
    await stage.post('getTicket', { ...KEY, platform: 'qq-mp' });
    const lines = stage.log.lines.filter(({ message }) => message.startsWith('credential access'));
    expect(
      lines.map(({ level, fields }) => [
        level,
        fields['method'],
        fields['outcome'],
        fields['app'],
        fields['caller'],
      ]),
    ).toEqual([
      ['info', 'getAccessToken', 'usable', 'shop', 'local'],
      ['info', 'setSessionKey', 'done', 'shop', 'local'],
      ['info', 'getSessionKey', 'usable', 'shop', 'local'],
      ['info', 'removeSessionKey', 'done', 'shop', 'local'],
      ['warn', 'getSessionKey', 'REQUEST_MALFORMED', undefined, 'local'],
      ['warn', 'setSessionKey', 'REQUEST_MALFORMED', undefined, 'local'],
      ['warn', undefined, 'NOT_FOUND', undefined, undefined],
      ['warn', 'getEncryptKey', 'LOGIN_REQUIRED', 'shop', 'local'],
      ['error', 'getTicket', 'CREDENTIAL_UNSUPPORTED', 'qshop', 'local'],
    ]);
    const users = new Set(lines.map(({ fields }) => fields['user']).filter(user => user !== undefined));
    expect([...users]).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/)]);
    const { access_token } = body as { access_token: string };
    for (const secret of [access_token, secretOf(SHOP.appid), 'canary-openid', 'canary-session'])
      expect(stage.log.text()).not.toContain(secret);
    expect(stage.log.text()).toContain('platform \\"canary\\" is unknown');
  });
});
