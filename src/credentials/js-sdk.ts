import type { App } from '../platforms/platform.ts';
import { cardSignature, jsSdkSignature } from '../platforms/weixin-signatures.ts';
import type { Authority } from './credentials.ts';

const NONCE_BYTES = 16;

/** What makes a signature its own; a random nonce and the present time where left out. */
export interface SigningMoment {
  readonly nonceStr?: string | undefined;
  /** Seconds since the Unix epoch. */
  readonly timestamp?: number | undefined;
}

/** What `wx.config` needs beside `jsApiList`. */
export interface PageSignature {
  readonly appId: string;
  readonly timestamp: number;
  readonly nonceStr: string;
  readonly signature: string;
}

/** A card to offer with `wx.addCard`. */
export interface CardToAdd extends SigningMoment {
  readonly cardId: string;
  readonly code?: string | undefined;
  readonly openid?: string | undefined;
  /** Seconds since the Unix epoch; not signed. */
  readonly fixedBeginTimestamp?: number | undefined;
  /** Not signed. */
  readonly outerStr?: string | undefined;
}

/** One entry of `cardList` for `wx.addCard`; `cardExt` is JSON text. */
export interface CardEntry {
  readonly cardId: string;
  readonly cardExt: string;
}

/** Which of a user's cards `wx.chooseCard` is to show. */
export interface CardsToChoose extends SigningMoment {
  readonly shopId?: string | undefined;
  readonly cardType?: string | undefined;
  readonly cardId?: string | undefined;
}

/** What `wx.chooseCard` needs. */
export interface CardChoice {
  readonly shopId: string;
  readonly cardType: string;
  readonly cardId: string;
  readonly timestamp: number;
  readonly nonceStr: string;
  readonly signType: 'SHA1';
  readonly cardSign: string;
}

/**
 * Signs for pages with an app's tickets, and shows no ticket to anybody. All throw BridgeError:
 * CREDENTIAL_UNSUPPORTED when the app's platform has no tickets, CREDENTIAL_UNAVAILABLE with the platform's
 * errcode when none can be had. Source: the JS-SDK page of the platform, appendices 1 and 4.
 */
export interface JsSdk {
  /** `url` is the page's own address as the browser shows it; what follows `#` is left out. */
  signPage(app: App, page: SigningMoment & { readonly url: string }): Promise<PageSignature>;
  signCardToAdd(app: App, card: CardToAdd): Promise<CardEntry>;
  signCardsToChoose(app: App, cards: CardsToChoose): Promise<CardChoice>;
}

/** What signing works with; everything impure is passed in. */
export interface JsSdkDeps {
  readonly authority: Pick<Authority, 'get'>;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** That many random bytes in hex. */
  readonly randomHex: (bytes: number) => string;
}

/** Makes the signer. */
export function createJsSdk({ authority, now, randomHex }: JsSdkDeps): JsSdk {
  const momentOf = ({ nonceStr, timestamp }: SigningMoment) => ({
    nonceStr: nonceStr ?? randomHex(NONCE_BYTES),
    timestamp: timestamp ?? Math.floor(now() / 1000),
  });

  return {
    async signPage(app, page) {
      const { nonceStr, timestamp } = momentOf(page);
      const { value } = await authority.get({ app, kind: 'ticket' });
      const signature = jsSdkSignature(value, { noncestr: nonceStr, timestamp, url: page.url });
      return { appId: app.appid, timestamp, nonceStr, signature };
    },

    async signCardToAdd(app, card) {
      const { nonceStr, timestamp } = momentOf(card);
      const { value } = await authority.get({ app, kind: 'card-ticket' });
      const { cardId, code, openid, fixedBeginTimestamp, outerStr } = card;
      const signed = { code, openid, timestamp: String(timestamp), nonce_str: nonceStr };
      const signature = cardSignature(value, [cardId, ...textsOf(Object.values(signed))]);
      const cardExt = JSON.stringify({
        ...signed,
        // The platform's examples give every time in cardExt as text.
        fixed_begintimestamp: fixedBeginTimestamp?.toString(),
        outer_str: outerStr,
        signature,
      });
      return { cardId, cardExt };
    },

    async signCardsToChoose(app, { shopId = '', cardType = '', cardId = '', ...moment }) {
      const { nonceStr, timestamp } = momentOf(moment);
      const { value } = await authority.get({ app, kind: 'card-ticket' });
      const cardSign = cardSignature(value, [
        app.appid,
        shopId,
        String(timestamp),
        nonceStr,
        cardId,
        cardType,
      ]);
      return { shopId, cardType, cardId, timestamp, nonceStr, signType: 'SHA1', cardSign };
    },
  };
}

function textsOf(values: readonly (string | undefined)[]): string[] {
  return values.filter(value => value !== undefined);
}
