import { isFromWebPage } from '../access/browser.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Stage } from './call.ts';
import { readRequestHeaders } from './headers.ts';
import { readQuery } from './query.ts';
import { parseTarget } from './target.ts';

/** Takes the request line and the headers apart, refusing whatever can be read in two ways. */
export function read(platforms: Iterable<Platform>): Stage {
  const tokenParameters = [...new Set([...platforms].flatMap(platform => platform.callerTokenParameters))];
  return next => call => {
    const { target, headers } = call.incoming;
    const { host, path, query } = parseTarget(target);
    call.path = path;
    call.query = query;
    const reading = readRequestHeaders(headers);
    call.proxied = host !== undefined;
    // RFC 9112, section 3.2.2: the host in an absolute-form target wins over the Host header.
    call.host = host ?? reading.platformHost ?? reading.host;
    call.hops = reading.hops;
    call.key = reading.key;
    call.fromWebPage = isFromWebPage(reading);
    call.bodyLength = reading.bodyLength;
    call.hopByHop = reading.hopByHop;
    const asked = readQuery(query, tokenParameters);
    call.query = asked.query;
    call.appNamed = asked.appid;
    call.token = asked.token;
    call.emptyToken = asked.emptyToken;
    return next(call);
  };
}
