import { isFromWebPage } from '../access/browser.ts';
import type { Stage } from './call.ts';
import { readRequestHeaders } from './headers.ts';
import { parseTarget } from './target.ts';

/** Takes the request line and the headers apart, refusing whatever can be read in two ways. */
export const read: Stage = next => call => {
  const { target, headers } = call.incoming;
  const { host, path, query } = parseTarget(target);
  call.path = path;
  call.query = query;
  const reading = readRequestHeaders(headers);
  call.proxied = host !== undefined;
  // RFC 9112, section 3.2.2: the host in an absolute-form target wins over the Host header.
  call.host = host ?? reading.host;
  call.key = reading.key;
  call.fromWebPage = isFromWebPage(reading);
  call.bodyLength = reading.bodyLength;
  call.hopByHop = reading.hopByHop;
  return next(call);
};
