/** The requests that every peer gets, byte for byte the same, and the answers the upstream gives. */

/** A token as long as the platform's. It is worth nothing. */
export const TOKEN = `98_${'benchBENCH0123456789'.repeat(6)}`;

/** The caller key that proves the load generator to the gateway; other peers get the header too. */
export const CALLER_KEY = 'bench-caller-key-0123456789abcdef';

export const ADMIN_KEY = 'bench-admin-key-0123456789abcdef';

/** What the upstream answers to small calls. */
export const SMALL_ANSWER = '{"errcode":0,"errmsg":"ok","result":{"suggest":"pass","label":100}}';

/** What the upstream answers to `/cgi-bin/stable_token`. */
export const TOKEN_ANSWER = JSON.stringify({ access_token: TOKEN, expires_in: 7200 });

/** What the upstream answers to `/cgi-bin/ticket/getticket`. */
export const TICKET_ANSWER = JSON.stringify({ errcode: 0, errmsg: 'ok', ticket: TOKEN, expires_in: 7200 });

/** Size of a large body either way: the most that the gateway lets through by default. */
export const LARGE_BYTES = 32 * 1024 * 1024;

export const LARGE_MIB = 32;

/** The small calls. */
export const SMALL_GET = '/wxa/getwxadevinfo?lang=zh_CN';
export const SMALL_POST = '/wxa/msg_sec_check';

/** Answers with a body of `LARGE_BYTES`. */
export const LARGE_GET = '/cgi-bin/media/get';

/** Reads its whole body before it answers. */
export const LARGE_POST = '/cgi-bin/media/upload';

/** Body of the small POST. */
export const SMALL_BODY = JSON.stringify({
  version: 2,
  scene: 2,
  openid: 'oBenchBenchBenchBenchBenchBe',
  content: 'The quick brown fox jumps over the lazy dog. '.repeat(4),
});

/** Headers of every call. */
export const HEADERS = { 'x-bridge-key': CALLER_KEY, 'user-agent': 'bench', accept: '*/*' } as const;

/** A path with the token in its query, as a direct call has to bring it. */
export function withToken(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}access_token=${TOKEN}`;
}
