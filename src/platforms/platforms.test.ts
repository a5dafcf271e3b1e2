import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { appOf } from './app.fixture.ts';
import type { CredentialKind, PlatformId } from './platform.ts';
import { PLATFORMS, platformOf } from './platforms.ts';

const KINDS: readonly CredentialKind[] = [
  'access-token',
  'ticket',
  'card-ticket',
  'user-access-token',
  'session-key',
  'encrypt-key',
];
const plain = { force: false, needed: undefined };

test('each platform is found by its mark', () => {
  for (const [id, platform] of PLATFORMS) {
    expect(platformOf(id)).toBe(platform);
    expect(platform.id).toBe(id);
    expect(platform.consoleUrl).toMatch(/^https:/);
    expect(platform.callerTokenParameters).toContain(platform.tokenParameter);
  }
  expect(() => platformOf('no-such' as never)).toThrow(TypeError);
});

test('a call to WeChat that names no app is read as one of a mini program', () => {
  const [first] = [...PLATFORMS.values()].filter(({ hosts }) => hosts.includes('api.weixin.qq.com'));
  expect(first?.id).toBe('weixin-mp');
  expect([...PLATFORMS.keys()][0]).toBe('weixin-mp');
});

/** What each platform offers: host, origin, what it issues, and whether users and sessions are had there. */
const OFFERS: readonly [PlatformId, string, string, readonly CredentialKind[], boolean, boolean][] = [
  ['weixin-mp', 'api.weixin.qq.com', 'weixin', ['access-token'], false, true],
  ['weixin-h5', 'api.weixin.qq.com', 'weixin', ['access-token', 'ticket', 'card-ticket'], true, false],
  ['weixin-web', 'api.weixin.qq.com', 'weixin', [], true, false],
  ['weixin-app', 'api.weixin.qq.com', 'weixin', [], true, false],
  ['qq-mp', 'api.q.qq.com', 'qq', ['access-token'], false, true],
  ['qq-app', 'graph.qq.com', 'qqConnect', [], true, false],
];

test('every platform is in the table below', () => {
  expect([...PLATFORMS.keys()]).toEqual(OFFERS.map(([id]) => id));
});

test.each(OFFERS)('%s is at %s', (id, host, upstream, issues, users, sessions) => {
  const platform = platformOf(id);
  expect(platform.hosts).toEqual([host]);
  expect(platform.upstream).toBe(upstream);
  for (const mode of ['stable', 'classic'] as const) {
    expect(KINDS.filter(kind => platform.plan(kind, mode) !== undefined)).toEqual(issues);
  }
  expect(platform.userTokens !== undefined).toBe(users);
  expect(platform.sessions !== undefined).toBe(sessions);
});

test.each(OFFERS)('%s keeps what can make sense there', (id, _host, _upstream, issues) => {
  const { kindFault } = platformOf(id);
  for (const kind of issues) expect(kindFault(kind)).toBeUndefined();
  for (const kind of ['access-token', 'user-access-token', 'session-key', 'encrypt-key'] as const) {
    expect(kindFault(kind)).toBeUndefined();
  }
});

test.each(['weixin-mp', 'qq-mp', 'qq-app'] as const)('%s has no tickets, and says who has', id => {
  for (const kind of ['ticket', 'card-ticket'] as const) {
    expect(platformOf(id).kindFault(kind)).toMatch(/no tickets.*weixin-h5.*weixin-web.*weixin-app/);
  }
});

test.each(['weixin-h5', 'weixin-web', 'weixin-app'] as const)('%s may have tickets', id => {
  expect(platformOf(id).kindFault('ticket')).toBeUndefined();
  expect(platformOf(id).kindFault('card-ticket')).toBeUndefined();
});

test('a QQ mini program has one token endpoint, with the rules of the classic one', () => {
  const { plan } = platformOf('qq-mp');
  const token = plan('access-token', 'stable');
  expect(plan('access-token', 'classic')).toBe(token);
  expect(token?.request(appOf({ platform: 'qq-mp', appid: '1109' }), { ...plain, force: true })).toEqual({
    method: 'GET',
    path: '/api/getToken',
    query: { grant_type: 'client_credential', appid: '1109', secret: 'the-secret' },
  });
  expect(token).toMatchObject({ sameUntilRenewal: false, renewAheadMs: 300_000, overlapMs: 300_000 });
  expect(token?.issueBudget).toMatchObject({ limit: 2000, window: 'day' });
  const issued = token?.read({ access_token: 'T', expires_in: 7200, errcode: 0, errmsg: 'ok' });
  expect(issued?.value.reveal()).toBe('T');
  expect(issued?.lifeMs).toBe(7_200_000);
  expect(() => token?.read({ expires_in: 7200 })).toThrow(BridgeError);
});

test.each([
  ['qq-mp', '/api/getToken', 'none'],
  ['qq-mp', '/sns/jscode2session', 'none'],
  ['qq-mp', '/sns/an_api_of_tomorrow', 'none'],
  ['qq-mp', '/api/json/security/MsgSecCheck', 'app'],
  ['qq-mp', '/api/getTokens', 'app'],
  ['qq-mp', '/', 'app'],
  ['qq-app', '/oauth2.0/token', 'none'],
  ['qq-app', '/user/get_user_info', 'none'],
  ['weixin-web', '/sns/oauth2/access_token', 'none'],
  ['weixin-web', '/cgi-bin/clear_quota', 'app'],
] as const)('on %s, %s wants %s', (id, path, wants) => {
  expect(platformOf(id).pathCredential(path)).toBe(wants);
});

test('token endpoints are answered here where there are any', () => {
  expect(platformOf('qq-mp').tokenPaths).toEqual({ '/api/getToken': 'classic' });
  expect(platformOf('qq-app').tokenPaths).toEqual({});
  expect(platformOf('weixin-app').tokenPaths).toEqual(platformOf('weixin-mp').tokenPaths);
  for (const id of ['qq-mp', 'qq-app'] as const) {
    expect(platformOf(id).ticketPath).toBeUndefined();
    expect(platformOf(id).callRecordPath).toBeUndefined();
  }
});

test.each([
  ['weixin-mp', 40125, 'mp.weixin.qq.com'],
  ['weixin-h5', 40125, 'mp.weixin.qq.com'],
  ['weixin-web', 40125, 'open.weixin.qq.com'],
  ['weixin-app', 40125, 'open.weixin.qq.com'],
  ['qq-mp', -101222100, 'q.qq.com'],
  ['qq-app', 100009, 'connect.qq.com'],
] as const)('%s says of %i where its secrets are', (id, errcode, site) => {
  const { errorRule, consoleUrl } = platformOf(id);
  expect(errorRule(errcode)).toMatchObject({
    class: 'configuration',
    hint: expect.stringMatching(new RegExp(`(^| )${site.replaceAll('.', '\\.')} `)),
  });
  expect(consoleUrl).toBe(`https://${site}`);
});
