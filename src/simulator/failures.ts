import { type Answer, type JsonObject, plain } from './answers.ts';
import type { Incoming } from './http.ts';
import type { Site } from './sites.ts';

/**
 * An object as QQ Connect sends it: a call of the function `callback` in JavaScript, or plain JSON when
 * the request has `fmt=json`. `errcode` is for counters and the log.
 */
export function connectAnswer({ query }: Incoming, fields: JsonObject, errcode = 0): Answer {
  const json = JSON.stringify(fields);
  const isJson = query.get('fmt') === 'json';
  return {
    status: 200,
    headers: { 'content-type': isJson ? 'application/json' : 'text/html' },
    body: Buffer.from(isJson ? json : `callback( ${json} );\n`),
    errcode,
  };
}

/** A business failure in the words and the form of a site. Only WeChat names the rid. */
export function failure(
  site: Site,
  incoming: Incoming,
  errcode: number,
  errmsg: string,
  rid: string,
): Answer {
  if (site === 'qq-connect') {
    return connectAnswer(incoming, { error: errcode, error_description: errmsg }, errcode);
  }
  return plain({ errcode, errmsg: site === 'weixin' ? `${errmsg} rid: ${rid}` : errmsg });
}
