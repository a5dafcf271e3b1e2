import { describe, expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import type { App } from '../platforms/platform.ts';
import type { AccessRequest } from './access.ts';
import { createAccess } from './access.ts';
import type { Caller } from './callers.ts';
import { createCallerDirectory, hashCallerKey } from './callers.ts';

const shop: App = {
  name: 'shop',
  platform: 'weixin-mp',
  appid: 'wx01',
  managed: true,
  secret: new Secret('s'),
  dcloudAppid: undefined,
  default: true,
  tokenMode: 'stable',
  renews: [],
};
const news: App = { ...shop, name: 'news', appid: 'wx02' };

function setup(enabled = true): { access: ReturnType<typeof createAccess>; orders: Caller; anyone: Caller } {
  const callers = createCallerDirectory(
    [
      {
        name: 'orders',
        keys: [hashCallerKey('a')],
        addresses: [],
        apps: ['shop', 'wx03'],
        allow: ['/wxa/*'],
        tokens: 'real',
      },
      { name: 'anyone', keys: [hashCallerKey('b')], addresses: [], tokens: 'real' },
    ],
    () => 0,
  );
  const access = createAccess({ enabled, allow: ['/wxa/x', '/cgi-bin/*'], callers });
  return {
    access,
    orders: access.authenticate({ key: 'a', remoteAddress: '' }),
    anyone: access.authenticate({ key: 'b', remoteAddress: '' }),
  };
}

function refusal(access: ReturnType<typeof createAccess>, request: AccessRequest): unknown {
  try {
    access.authorize(request);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('authorize', () => {
  const { access, orders, anyone } = setup();

  test('lets a listed path pass for an app the caller may act as', () => {
    expect(refusal(access, { caller: orders, app: shop, path: '/wxa/x' })).toBeUndefined();
    expect(
      refusal(access, { caller: orders, app: { ...news, appid: 'wx03' }, path: '/wxa/x' }),
    ).toBeUndefined();
    expect(refusal(access, { caller: anyone, app: news, path: '/cgi-bin/a/b' })).toBeUndefined();
  });

  test('refuses an unlisted path in the words of the hosted service, with the step that mends it', () => {
    expect(refusal(access, { caller: anyone, app: shop, path: '/wxa/y' })).toMatchObject({
      code: 'PATH_NOT_LISTED',
      errcode: 85107,
      message: expect.stringMatching(/URL不在白名单内.*\/wxa\/y/),
      hint: expect.stringMatching(/add "\/wxa\/y" to openapi\.allow.*without restart/),
    });
  });

  test("a caller's own list narrows the common one", () => {
    expect(refusal(access, { caller: orders, app: shop, path: '/cgi-bin/a' })).toMatchObject({
      code: 'PATH_NOT_LISTED',
      hint: expect.stringContaining('add "/cgi-bin/a" to callers[orders].allow'),
    });
    expect(refusal(access, { caller: orders, app: shop, path: '/wxa/y' })).toMatchObject({
      hint: expect.stringContaining('openapi.allow'),
    });
  });

  test('refuses an app that is not among the caller’s', () => {
    expect(refusal(access, { caller: orders, app: news, path: '/wxa/x' })).toMatchObject({
      code: 'CALLER_FORBIDDEN',
      errcode: 85105,
      message: expect.stringContaining('news (wx02)'),
      hint: expect.stringMatching(/callers\[orders\]\.apps.*from_appid/),
    });
  });

  test('refuses everything while the service is off', () => {
    const off = setup(false);
    expect(refusal(off.access, { caller: off.anyone, app: shop, path: '/wxa/x' })).toMatchObject({
      code: 'SERVICE_OFF',
      hint: expect.stringContaining('openapi.enabled'),
    });
  });
});

describe('replace', () => {
  test('takes effect at once', () => {
    const { access, anyone } = setup();
    access.replace({ enabled: true, allow: ['/wxa/y'] });
    expect(refusal(access, { caller: anyone, app: shop, path: '/wxa/y' })).toBeUndefined();
    expect(refusal(access, { caller: anyone, app: shop, path: '/wxa/x' })).toMatchObject({
      code: 'PATH_NOT_LISTED',
    });
    access.replace({ enabled: false, allow: ['/wxa/y'] });
    expect(refusal(access, { caller: anyone, app: shop, path: '/wxa/y' })).toMatchObject({
      code: 'SERVICE_OFF',
    });
  });

  test('with a pattern that cannot be used changes nothing', () => {
    const { access, anyone } = setup();
    expect(() => access.replace({ enabled: false, allow: ['wxa'] })).toThrow(/"wxa"/);
    expect(refusal(access, { caller: anyone, app: shop, path: '/wxa/x' })).toBeUndefined();
  });
});
