import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appOf, createWorld, OA } from '../../test/support/world.ts';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { App } from '../platforms/platform.ts';
import type { CredentialRef } from './credentials.ts';
import { createJsSdk, type JsSdk } from './js-sdk.ts';

const JSAPI_TICKET = 'sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg';
const CARD_TICKET = 'ojZ8YtyVyr30HheH3CM73y7h4jJE';
const NOW = 1_700_000_000_999;

const NEWS: App = {
  name: 'news',
  platform: 'weixin-h5',
  appid: 'wx00000000000000b2',
  secret: new Secret('secret-of-the-app'),
  managed: true,
  dcloudAppid: undefined,
  default: false,
  tokenMode: 'stable',
  renews: [],
};

/** A signer over an authority that has the two tickets of the platform's examples. */
function signer(): JsSdk & { readonly asked: readonly CredentialRef[] } {
  const asked: CredentialRef[] = [];
  const jsSdk = createJsSdk({
    authority: {
      async get(ref) {
        asked.push(ref);
        const value = new Secret(ref.kind === 'ticket' ? JSAPI_TICKET : CARD_TICKET);
        return { ref, value, epoch: 1, issuedAt: 0, expiresAt: Number.POSITIVE_INFINITY };
      },
    },
    now: () => NOW,
    randomHex: bytes => 'ab'.repeat(bytes),
  });
  return { ...jsSdk, asked };
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

describe('signing a page', () => {
  it("gives the signature of the platform's example", async () => {
    const jsSdk = signer();
    expect(
      await jsSdk.signPage(NEWS, {
        url: 'http://mp.weixin.qq.com?params=value',
        nonceStr: 'Wm3WZYTPz0wzccnW',
        timestamp: 1414587457,
      }),
    ).toEqual({
      appId: NEWS.appid,
      nonceStr: 'Wm3WZYTPz0wzccnW',
      timestamp: 1414587457,
      signature: '0f9de62fce790f9a083d5c99e95740ceb90c27ed',
    });
    expect(jsSdk.asked).toEqual([{ app: NEWS, kind: 'ticket' }]);
  });

  it('leaves the fragment out, and nothing else', async () => {
    const moment = { nonceStr: 'n', timestamp: 1 };
    const of = async (url: string) => (await signer().signPage(NEWS, { url, ...moment })).signature;
    expect(await of('https://a.example/?q=%E4%B8%AD#/route?x=1')).toBe(
      await of('https://a.example/?q=%E4%B8%AD'),
    );
    expect(await of('https://a.example/?q=%E4%B8%AD')).not.toBe(await of('https://a.example/?q=中'));
    expect(await of('https://a.example/')).not.toBe(await of('https://a.example'));
  });

  it('takes the present second and a random nonce where none are given', async () => {
    const { timestamp, nonceStr, signature } = await signer().signPage(NEWS, { url: 'https://a.example/' });
    expect(timestamp).toBe(1_700_000_000);
    expect(nonceStr).toBe('ab'.repeat(16));
    expect(signature).toBe(
      sha1(`jsapi_ticket=${JSAPI_TICKET}&noncestr=${nonceStr}&timestamp=${timestamp}&url=https://a.example/`),
    );
  });

  it('throws on what the authority throws', async () => {
    const none = new BridgeError('CREDENTIAL_UNSUPPORTED', 'weixin-mp has no ticket');
    const jsSdk = createJsSdk({
      authority: { get: () => Promise.reject(none) },
      now: () => NOW,
      randomHex: () => 'ab',
    });
    await expect(jsSdk.signPage(NEWS, { url: 'https://a.example/' })).rejects.toBe(none);
    await expect(jsSdk.signCardToAdd(NEWS, { cardId: 'p' })).rejects.toBe(none);
    await expect(jsSdk.signCardsToChoose(NEWS, {})).rejects.toBe(none);
  });
});

describe('a ticket that was pushed in', () => {
  it.each([
    ['a website', { platform: 'weixin-web' }],
    ['an account whose token server is elsewhere', { managed: false, secret: undefined }],
  ] as const)('signs for %s, and nothing is asked of the platform', async (_what, change) => {
    const world = await createWorld();
    const { authority, values, sent } = await world.node();
    const app = appOf(OA, change);
    const page = {
      url: 'http://mp.weixin.qq.com?params=value',
      nonceStr: 'Wm3WZYTPz0wzccnW',
      timestamp: 1414587457,
    };
    const jsSdk = createJsSdk({ authority, now: () => world.clock.now(), randomHex: () => 'ab' });
    await expect(jsSdk.signPage(app, page)).rejects.toMatchObject({
      code: 'CREDENTIAL_UNAVAILABLE',
      hint: expect.stringContaining('push'),
    });
    await values.set({ app, kind: 'ticket' }, { ticket: JSAPI_TICKET }, world.clock.now() + 7_200_000);
    expect((await jsSdk.signPage(app, page)).signature).toBe('0f9de62fce790f9a083d5c99e95740ceb90c27ed');
    expect(sent).toEqual([]);
  });
});

describe('signing cards', () => {
  const EXAMPLE = { cardId: 'pjZ8Yt1XGILfi-FUsewpnnolGgZk', code: '1434008071', nonceStr: '123' };

  it("gives the signature of the platform's example, as text for cardExt", async () => {
    const jsSdk = signer();
    const entry = await jsSdk.signCardToAdd(NEWS, { ...EXAMPLE, timestamp: 1404896688 });
    expect(entry.cardId).toBe(EXAMPLE.cardId);
    expect(JSON.parse(entry.cardExt)).toEqual({
      code: '1434008071',
      timestamp: '1404896688',
      nonce_str: '123',
      signature: 'f137ab68b7f8112d20ee528ab6074564e2796250',
    });
    expect(jsSdk.asked).toEqual([{ app: NEWS, kind: 'card-ticket' }]);
  });

  it('signs the openid, but neither the time a card was taken nor where', async () => {
    const of = async (extra: object): Promise<Record<string, unknown>> => {
      const entry = await signer().signCardToAdd(NEWS, { ...EXAMPLE, timestamp: 1404896688, ...extra });
      return JSON.parse(entry.cardExt);
    };
    const plain = await of({});
    const unsigned = await of({ fixedBeginTimestamp: 1404896000, outerStr: 'shop-7' });
    expect(unsigned).toEqual({ ...plain, fixed_begintimestamp: '1404896000', outer_str: 'shop-7' });
    const bound = await of({ openid: 'oUser' });
    expect(bound['openid']).toBe('oUser');
    expect(bound['signature']).toBe(
      sha1(['oUser', EXAMPLE.code, '1404896688', EXAMPLE.cardId, CARD_TICKET, '123'].sort().join('')),
    );
  });

  it('signs a choice over all that narrows it, and the app', async () => {
    const given = {
      shopId: '408',
      cardType: 'GROUPON',
      cardId: 'pCard',
      nonceStr: 'n1',
      timestamp: 1404896688,
    };
    const { cardSign, ...rest } = await signer().signCardsToChoose(NEWS, given);
    expect(rest).toEqual({ ...given, signType: 'SHA1' });
    expect(cardSign).toBe(
      sha1([CARD_TICKET, NEWS.appid, '408', '1404896688', 'n1', 'pCard', 'GROUPON'].sort().join('')),
    );
  });

  it('signs a choice as if what is left out were empty', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record(
          {
            shopId: fc.stringMatching(/^\w{1,9}$/),
            cardType: fc.stringMatching(/^[A-Z_]{1,9}$/),
            cardId: fc.stringMatching(/^[\w-]{1,28}$/),
          },
          { requiredKeys: [] },
        ),
        fc.integer({ min: 1, max: 9_999_999_999 }),
        async (cards, timestamp) => {
          const choice = await signer().signCardsToChoose(NEWS, { ...cards, timestamp, nonceStr: 'n' });
          const values = [CARD_TICKET, NEWS.appid, String(timestamp), 'n', ...Object.values(cards)];
          expect(choice.cardSign).toBe(sha1(values.sort().join('')));
          expect(choice).toMatchObject({ shopId: '', cardType: '', cardId: '', ...cards });
        },
      ),
    );
  });
});
