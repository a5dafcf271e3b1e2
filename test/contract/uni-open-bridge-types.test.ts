import { expectTypeOf, test } from 'vitest';
import * as common from '../../src/common/index.ts';

/** Checked by the compiler: none of this is run against a bridge. */
const key = { dcloudAppid: '__UNI__SHOP01', platform: 'weixin-mp', openid: 'o1', version: 1 };

test('what the functions give, as TypeScript sees it', () => {
  expectTypeOf(common.getAccessToken).toBeCallableWith(key);
  expectTypeOf(() =>
    common.getAccessToken(key),
  ).returns.resolves.toEqualTypeOf<common.AccessTokenValue | null>();
  expectTypeOf(() =>
    common.getTicket(key, null, { obtain: false }),
  ).returns.resolves.toEqualTypeOf<common.TicketValue | null>();
  expectTypeOf(() => common.getEncryptKey(key, undefined, { detail: true })).returns.resolves.toEqualTypeOf<
    common.DetailOf<common.EncryptKeyValue>
  >();
  expectTypeOf(() =>
    common.setSessionKey(key, { session_key: 'k' }, 60),
  ).returns.resolves.toEqualTypeOf<void>();
  expectTypeOf(() => common.updateTicket(key)).returns.resolves.toEqualTypeOf<void>();
  expectTypeOf<common.OpenBridgeError['errCode']>().toEqualTypeOf<number | string>();
  expectTypeOf(common.ProviderType.QQ_MP).toEqualTypeOf<'qq-mp'>();
  expectTypeOf<common.OpenBridge>().toHaveProperty('close');
});

test('what TypeScript refuses', () => {
  const refused = {
    // @ts-expect-error the field of a ticket is needed
    value: () => common.setTicket(key, { tickets: 'x' }),
    // @ts-expect-error seconds are a number
    life: () => common.setTicket(key, { ticket: 'x' }, '60'),
    // @ts-expect-error a fallback tells a value
    fallback: () => common.getTicket(key, async () => ({ ticket: 'x' })),
    // @ts-expect-error one or the other
    bridge: () => common.configureBridge({}),
    // @ts-expect-error there is nothing to update
    update: () => common.updateSessionKey(key),
  };
  expectTypeOf(refused).not.toBeNever();
});
