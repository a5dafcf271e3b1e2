import { describe, expect, it } from 'vitest';
import { getSecureHeaders } from '../../src/common/index.ts';
import { manualClock } from '../support/manual-clock.ts';
import { DCLOUD, type HttpAnswer, startStage } from './uni-open-bridge.fixture.ts';

const KEY = { dcloudAppid: DCLOUD, platform: 'weixin-mp' };
const NEWS_KEY = { dcloudAppid: DCLOUD, platform: 'weixin-h5' };
const VALUE = { access_token: 'pushed-in' };

const ADMIN = 'canary-admin-key-0123456789';
const READER = 'canary-reader-key-0123456789';
const WRITER = 'canary-writer-key-0123456789';
const STRANGER = 'canary-stranger-key-0123456789';
const SIGN_KEY = 'canary-sign-key-0123456789abcdef';
const CONNECT_CODE = 'canary-connect-code-0123456789abcdef';

const CALLERS = [
  { name: 'reader', key: READER, scopes: ['credential:read'] },
  { name: 'writer', key: WRITER, apps: ['shop'], scopes: ['credential:read', 'credential:write'] },
];
const WEB_PAGE = { origin: 'http://evil.example' };
const SIGN = { type: 'sign', signKey: SIGN_KEY } as const;

/** What became of an access, in a few words. */
function verdict({ status, headers }: HttpAnswer): string {
  return status === 200 ? 'ok' : `${status} ${headers.get('x-bridge-error')}`;
}

function message({ body }: HttpAnswer): string {
  return (body as { errMsg: string }).errMsg;
}

describe('with nothing configured', () => {
  it('everybody on this machine may do everything, but web pages', async () => {
    const stage = await startStage();
    expect(verdict(await stage.post('getAccessToken', KEY))).toBe('ok');
    expect(verdict(await stage.post('setAccessToken', { ...KEY, value: VALUE }))).toBe('ok');
    for (const headers of [WEB_PAGE, { origin: 'null' }] as Record<string, string>[]) {
      const refused = await stage.post('getAccessToken', KEY, headers);
      expect(verdict(refused)).toBe('401 CALLER_UNKNOWN');
      expect(message(refused)).toContain('web pages');
    }
    expect(
      verdict(await stage.post('getAccessToken', KEY, { 'unicloud-s2s-signature': 'hmac-sha256 00' })),
    ).toBe('401 CALLER_UNKNOWN');
    expect(verdict(await stage.post('getAccessToken', KEY, { authorization: `Bearer ${STRANGER}` }))).toBe(
      '401 CALLER_UNKNOWN',
    );
  });
});

describe('caller keys', () => {
  const config = { callers: CALLERS, admin: { keys: [ADMIN] } };

  it('bring what their scopes say, and an admin key everything', async () => {
    const stage = await startStage({ config });
    const as = (key: string) => ({ 'x-bridge-key': key });
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
    const set = { ...KEY, value: VALUE };
    for (const [headers, reads, writes] of [
      [as(READER), 'ok', '403 CALLER_FORBIDDEN'],
      [bearer(READER), 'ok', '403 CALLER_FORBIDDEN'],
      [as(WRITER), 'ok', 'ok'],
      [bearer(ADMIN), 'ok', 'ok'],
      [as(ADMIN), '401 CALLER_UNKNOWN', '401 CALLER_UNKNOWN'],
      [as(STRANGER), '401 CALLER_UNKNOWN', '401 CALLER_UNKNOWN'],
      [bearer(STRANGER), '401 CALLER_UNKNOWN', '401 CALLER_UNKNOWN'],
      [{}, '401 CALLER_UNKNOWN', '401 CALLER_UNKNOWN'],
    ] as const) {
      expect(verdict(await stage.post('getAccessToken', KEY, headers))).toBe(reads);
      expect(verdict(await stage.post('setAccessToken', set, headers))).toBe(writes);
      expect(verdict(await stage.post('updateAccessToken', KEY, headers))).toBe(writes);
      expect(verdict(await stage.post('removeAccessToken', KEY, headers))).toBe(writes);
    }
    expect(message(await stage.post('setAccessToken', set, as(READER)))).toContain(
      'add "credential:write" to callers[reader].scopes',
    );
    for (const secret of [ADMIN, READER, WRITER, STRANGER]) expect(stage.log.text()).not.toContain(secret);
  });

  it('bring their apps alone, and tell of no other', async () => {
    const stage = await startStage({ config });
    const writer = { 'x-bridge-key': WRITER };
    const refused = await stage.post('getAccessToken', NEWS_KEY, writer);
    expect(verdict(refused)).toBe('403 CALLER_FORBIDDEN');
    expect(message(refused)).toContain('add "news" to callers[writer].apps');
    // The ticket of a mini program is the official account's.
    expect(verdict(await stage.post('getTicket', KEY, writer))).toBe('403 CALLER_FORBIDDEN');
    const unknown = await stage.post('getAccessToken', { ...KEY, dcloudAppid: '__UNI__OTHER' }, writer);
    expect(verdict(unknown)).toBe('404 APP_UNKNOWN');
    expect(message(unknown)).toContain('wx00000000000000a1');
    expect(message(unknown)).not.toContain('wx00000000000000b2');
  });

  it('serve the library, which is told the same', async () => {
    const stage = await startStage({ config });
    expect(await stage.remote(READER).getAccessToken(KEY)).toEqual({ access_token: expect.any(String) });
    await expect(stage.remote(READER).removeAccessToken(KEY)).rejects.toMatchObject({
      reason: 'CALLER_FORBIDDEN',
    });
    await expect(stage.remote().getAccessToken(KEY)).rejects.toMatchObject({
      reason: 'CALLER_UNKNOWN',
      errMsg: expect.stringContaining('no caller key was sent'),
    });
    // A fallback whose value may not be stored is not passed over in silence.
    const fallback = async () => ({ value: { session_key: 'k' }, duration: 60 });
    await expect(
      stage.remote(READER).getSessionKey({ ...KEY, openid: 'o1' }, fallback),
    ).rejects.toMatchObject({
      reason: 'CALLER_FORBIDDEN',
    });
  });

  it('may be left out by a caller known by its address', async () => {
    const stage = await startStage({
      config: { callers: [{ name: 'near', addresses: ['127.0.0.0/8'], scopes: ['credential:read'] }] },
    });
    expect(verdict(await stage.post('getAccessToken', KEY))).toBe('ok');
    expect(verdict(await stage.post('removeAccessToken', KEY))).toBe('403 CALLER_FORBIDDEN');
  });
});

describe('ipWhiteList', () => {
  it.each([['127.0.0.1'], ['127.0.0.0/8'], ['::ffff:127.0.0.1']])(
    '%s lets this machine do everything',
    async listed => {
      const stage = await startStage({ config: { ipWhiteList: [listed], callers: CALLERS } });
      expect(verdict(await stage.post('getAccessToken', KEY))).toBe('ok');
      expect(verdict(await stage.post('setAccessToken', { ...KEY, value: VALUE }))).toBe('ok');
      // A key that is sent must be right, and brings no more than it is worth.
      expect(verdict(await stage.post('getAccessToken', KEY, { 'x-bridge-key': STRANGER }))).toBe(
        '401 CALLER_UNKNOWN',
      );
      expect(verdict(await stage.post('removeAccessToken', KEY, { 'x-bridge-key': READER }))).toBe(
        '403 CALLER_FORBIDDEN',
      );
      expect(verdict(await stage.post('getAccessToken', KEY, WEB_PAGE))).toBe('401 CALLER_UNKNOWN');
    },
  );

  it.each([['0.0.0.0'], ['192.0.2.1'], ['10.0.0.0/8']])(
    '%s does not, and being on this machine is no proof any more',
    async listed => {
      const stage = await startStage({ config: { ipWhiteList: [listed], admin: { keys: [ADMIN] } } });
      for (const headers of [
        {},
        { 'x-bridge-key': STRANGER },
        { authorization: `Bearer ${STRANGER}` },
      ] as Record<string, string>[]) {
        const refused = await stage.post('getAccessToken', KEY, headers);
        expect(verdict(refused)).toBe('401 CALLER_UNKNOWN');
        expect(message(refused)).toContain('configured here: addresses in ipWhiteList');
        expect(message(refused)).not.toContain(listed);
      }
      expect(verdict(await stage.post('getAccessToken', KEY, { authorization: `Bearer ${ADMIN}` }))).toBe(
        'ok',
      );
    },
  );

  it('is taken over by a reload', async () => {
    const stage = await startStage({ config: { ipWhiteList: ['192.0.2.1'] } });
    expect(verdict(await stage.post('getAccessToken', KEY))).toBe('401 CALLER_UNKNOWN');
    stage.reconfigure({ ipWhiteList: ['127.0.0.1'] });
    expect(verdict(await stage.post('getAccessToken', KEY))).toBe('ok');
  });
});

describe('uni-cloud-s2s', () => {
  it('by signature: what is sent must be what was signed, now, and once', async () => {
    const clock = manualClock(Date.now());
    const stage = await startStage({ clock, config: { s2s: SIGN } });
    const set = { ...KEY, value: VALUE, expiresIn: 7200 };
    const headers = (data: object) => getSecureHeaders({ data: data as never, s2s: SIGN });
    const signed = headers(set);
    expect(verdict(await stage.post('setAccessToken', set, signed))).toBe('ok');
    expect(message(await stage.post('setAccessToken', set, signed))).toContain(
      'this signature was used before',
    );
    expect(verdict(await stage.post('getAccessToken', KEY, headers(KEY)))).toBe('ok');
    expect(message(await stage.post('getAccessToken', NEWS_KEY, headers(KEY)))).toContain(
      'the signature does not fit',
    );
    const form = { ...headers(KEY), 'content-type': 'application/x-www-form-urlencoded' };
    expect((await stage.post('getAccessToken', new URLSearchParams(KEY).toString(), form)).body).toEqual(
      VALUE,
    );
    const late = headers(KEY);
    await clock.advance(61_000);
    expect(message(await stage.post('getAccessToken', KEY, late))).toContain('behind the clock here');
    for (const text of [SIGN_KEY, 'pushed-in']) expect(stage.log.text()).not.toContain(text);
  });

  it('must hold when it is sent, whatever else would let the caller in', async () => {
    const stage = await startStage({ config: { s2s: SIGN, ipWhiteList: ['127.0.0.1'], callers: CALLERS } });
    const wrong = {
      ...getSecureHeaders({ data: KEY, s2s: { ...SIGN, signKey: 'another-key-0123456789abcdef' } }),
      'x-bridge-key': READER,
    };
    expect(verdict(await stage.post('getAccessToken', KEY, wrong))).toBe('401 CALLER_UNKNOWN');
    expect(verdict(await stage.post('getAccessToken', KEY))).toBe('ok');
  });

  it('by connect code, as often as one likes', async () => {
    const s2s = { type: 'connectCode', connectCode: CONNECT_CODE } as const;
    const stage = await startStage({ config: { s2s } });
    const headers = getSecureHeaders({ s2s });
    for (let call = 0; call < 3; call += 1)
      expect(verdict(await stage.post('getAccessToken', KEY, headers))).toBe('ok');
    const wrong = getSecureHeaders({ s2s: { ...s2s, connectCode: 'another' } });
    const refused = await stage.post('getAccessToken', KEY, wrong);
    expect(verdict(refused)).toBe('401 CALLER_UNKNOWN');
    expect(refused.text + stage.log.text()).not.toContain(CONNECT_CODE);
  });

  it('configured, being on this machine is no proof any more, and the ways in are named', async () => {
    const stage = await startStage({ config: { s2s: SIGN, callers: CALLERS } });
    const refused = await stage.post('getAccessToken', KEY);
    expect(verdict(refused)).toBe('401 CALLER_UNKNOWN');
    expect(message(refused)).toContain(
      'configured here: uni-cloud-s2s (sign, hmac-sha256), caller keys as x-bridge-key, admin keys',
    );
    const alone = await startStage({ config: { s2s: SIGN } });
    expect(verdict(await alone.post('getAccessToken', KEY))).toBe('401 CALLER_UNKNOWN');
  });

  it('not configured, it is not taken for nothing', async () => {
    const stage = await startStage({ config: { ipWhiteList: ['127.0.0.1'] } });
    const refused = await stage.post('getAccessToken', KEY, getSecureHeaders({ data: KEY, s2s: SIGN }));
    expect(verdict(refused)).toBe('401 CALLER_UNKNOWN');
    expect(message(refused)).toContain('uni-cloud-s2s, which is not configured here');
  });
});
