import { BridgeError } from '../base/errors.ts';
import type { Call } from './call.ts';
import { requestTooLarge } from './request-body.ts';

/** Token requests are a few hundred bytes. */
const MAX_BYTES = 16 * 1024;

/** What a client sends to get a token. */
export interface TokenRequest {
  readonly appid: string;
  readonly secret: string;
  readonly grantType: string;
  readonly forceRefresh: boolean;
}

/** An errcode of the platform that says what is wrong with the request. */
export type TokenRequestFault = 41002 | 41004 | 43002 | 44002 | 47001;

/** `/cgi-bin/stable_token` takes JSON in a POST; `/cgi-bin/token` a query. */
const BY_BODY = '/cgi-bin/stable_token';

/** Reads a token request, or finds the platform's word for what is wrong with it. */
export async function readTokenRequest(call: Call): Promise<TokenRequest | TokenRequestFault> {
  const fields =
    call.path === BY_BODY ? await fieldsOfBody(call) : Object.fromEntries(new URLSearchParams(call.query));
  if (typeof fields === 'number') return fields;
  const { appid, secret, grant_type: grantType, force_refresh: force } = fields;
  if (typeof appid !== 'string' || appid === '') return 41002;
  if (typeof secret !== 'string' || secret === '') return 41004;
  return { appid, secret, grantType: String(grantType ?? ''), forceRefresh: force === true };
}

async function fieldsOfBody(call: Call): Promise<Record<string, unknown> | TokenRequestFault> {
  if (call.incoming.method !== 'POST') return 43002;
  if (call.bodyLength === 0) return 44002;
  call.bodyRead = await readBody(call);
  try {
    const fields: unknown = JSON.parse(call.bodyRead.toString('utf8'));
    return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : 47001;
  } catch {
    return 47001;
  }
}

/** Reads the whole body within the call's time; throws REQUEST_TOO_LARGE, REQUEST_TIMEOUT or CALLER_GONE. */
function readBody(call: Call): Promise<Buffer> {
  const { body, sendContinue } = call.incoming;
  if (body === undefined) return Promise.resolve(Buffer.alloc(0));
  const known = Buffer.isBuffer(body) ? body.length : (call.bodyLength ?? 0);
  if (known > MAX_BYTES) return Promise.reject(requestTooLarge(MAX_BYTES));
  if (Buffer.isBuffer(body)) return Promise.resolve(body);
  sendContinue?.();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const done = (end: () => void): void => {
      call.onFault = undefined;
      body.off('data', onData);
      body.pause();
      end();
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > MAX_BYTES) done(() => reject(requestTooLarge(MAX_BYTES)));
    };
    const onFault = (fault: BridgeError): void => done(() => reject(fault));
    call.onFault = onFault;
    body.on('data', onData);
    body.once('end', () => done(() => resolve(Buffer.concat(chunks))));
    body.once('error', () =>
      done(() =>
        reject(
          new BridgeError('CALLER_GONE', 'the caller closed the connection before its request was complete'),
        ),
      ),
    );
  });
}
