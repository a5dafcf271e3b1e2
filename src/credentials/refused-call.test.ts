import { expect, it } from 'vitest';
import { Secret } from '../base/secret.ts';
import type { App } from '../platforms/platform.ts';
import { weixinErrorRule } from '../platforms/weixin-errors.ts';
import { refusedCall } from './refused-call.ts';

const SHOP: App = {
  name: 'shop',
  platform: 'weixin-mp',
  appid: 'wx00000000000000a1',
  secret: new Secret('secret-of-the-app'),
  managed: true,
  dcloudAppid: undefined,
  default: false,
  tokenMode: 'stable',
  renews: [],
};

const refusal = (errcode: number, errmsg: string) => ({ errcode, errmsg, rule: weixinErrorRule(errcode) });

it.each([
  [40029, 'REQUEST_MALFORMED', 400],
  [40163, 'REQUEST_MALFORMED', 400],
  [40226, 'REQUEST_MALFORMED', 400],
  [40003, 'REQUEST_MALFORMED', 400],
  [45009, 'BUDGET_EXHAUSTED', 429],
  [45011, 'BUDGET_EXHAUSTED', 429],
  [48001, 'CREDENTIAL_UNSUPPORTED', 503],
  [40164, 'CREDENTIAL_UNAVAILABLE', 503],
  [40125, 'CREDENTIAL_UNAVAILABLE', 503],
  [40001, 'CREDENTIAL_UNAVAILABLE', 503],
  [-1, 'CREDENTIAL_UNAVAILABLE', 503],
])('tells %i as %s, with the words of the platform', (errcode, code, status) => {
  const error = refusedCall(SHOP, refusal(errcode, 'words of the platform, rid: 1-2-3'));
  expect(error).toMatchObject({
    code,
    errcode,
    upstream: { errcode, errmsg: 'words of the platform, rid: 1-2-3' },
    message: expect.stringContaining(`${errcode} words of the platform`),
  });
  expect(error.traits.status).toBe(status);
});

it('fills in the hint of the errcode', () => {
  const { hint } = refusedCall(
    SHOP,
    refusal(40164, 'invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist'),
  );
  expect(hint).toContain('add 1.2.3.4');
  expect(hint).toContain(SHOP.appid);
});

it('says where another code comes from, for codes alone', () => {
  expect(refusedCall(SHOP, refusal(40029, 'invalid code'), 'press the button').hint).toBe('press the button');
  expect(refusedCall(SHOP, refusal(40029, 'invalid code')).hint).toContain('log in again');
  expect(refusedCall(SHOP, refusal(48001, 'api unauthorized'), 'press the button').hint).not.toBe(
    'press the button',
  );
});

it('says when to try again, where that is known', () => {
  expect(refusedCall(SHOP, refusal(45011, 'minute')).retryAfterMs).toBe(60_000);
  expect(refusedCall(SHOP, refusal(40029, 'invalid code')).retryAfterMs).toBeUndefined();
});
