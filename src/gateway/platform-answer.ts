import type { Answer, Call } from './call.ts';

/** The platform's own words for refusals that we make in its stead. Source: pages of the two token endpoints, global return codes. */
const WORDS = {
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40014: 'invalid access_token',
  40125: 'invalid appsecret',
  41002: 'appid missing',
  41004: 'appsecret missing',
  42001: 'access_token expired',
  43002: 'require POST method',
  44002: 'empty post data',
  47001: 'data format error',
} as const;

/**
 * A refusal in the platform's form and wording, with HTTP 200 as it does, so that any SDK takes it for
 * one. A note for people follows the platform's words.
 */
export function refuseAsPlatform(call: Call, errcode: keyof typeof WORDS, note = ''): Answer {
  call.errcode = errcode;
  call.rid = ridOf(call.seqid);
  return answerAsPlatform({ errcode, errmsg: `${WORDS[errcode]}${note} rid: ${call.rid}` });
}

/** A JSON answer with the headers of the platform's. */
export function answerAsPlatform(value: object): Answer {
  const body = Buffer.from(JSON.stringify(value));
  const contentType = 'application/json';
  const headers = ['content-type', `${contentType}; encoding=utf-8`, 'content-length', String(body.length)];
  return { status: 200, reason: undefined, headers, contentType, contentEncoding: '', body };
}

/** The call's own id in the form of the platform's rid, so that either leads to the same record. */
function ridOf(seqid: string): string {
  const [time = '', random = ''] = seqid.split('-');
  return `${time}-${random.slice(0, 8)}-${random.slice(8, 16)}`;
}
