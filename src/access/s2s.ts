import type { BridgeError } from '../base/errors.ts';
import { equalInConstantTime, type Secret } from '../base/secret.ts';
import { type S2sData, type S2sHash, s2sDigest, s2sPayload } from './s2s-payload.ts';
import type { ReplayGuard } from './s2s-replays.ts';
import { dataOf, denied, headerOf, type S2sHeaders, type S2sRequest, shown } from './s2s-request.ts';

/** `sha256-is-md5`: the uni-cloud-s2s module 1.0.1 computes MD5 where it says sha256. */
export const S2S_QUIRKS = ['sha256-is-md5'] as const;

/** A known flaw of other implementations that is met on purpose. */
export type S2sQuirk = (typeof S2S_QUIRKS)[number];

/** What a caller needs to prove itself by uni-cloud-s2s. */
export type S2sCredentials =
  | { readonly type: 'connectCode'; readonly connectCode: Secret }
  | {
      readonly type: 'sign';
      readonly signKey: Secret;
      readonly hashMethod: S2sHash;
      readonly quirks: readonly S2sQuirk[];
    };

/** How callers prove themselves by uni-cloud-s2s, as configured. */
export type S2sSettings =
  | Extract<S2sCredentials, { readonly type: 'connectCode' }>
  | (Extract<S2sCredentials, { readonly type: 'sign' }> & {
      /** How far the caller's clock and ours may differ, either way. */
      readonly toleranceMs: number;
    });

const AUTHORIZATION = 'Unicloud-S2s-Authorization';
const TIMESTAMP = 'Unicloud-S2s-Timestamp';
const SIGNATURE = 'Unicloud-S2s-Signature';
const CONNECT_CODE_SCHEME = 'CONNECTCODE';

/** Whether a request means to prove itself by uni-cloud-s2s: it must then be verified, whatever else it carries. */
export function hasS2sHeaders(headers: S2sHeaders): boolean {
  const names = new Set([AUTHORIZATION, TIMESTAMP, SIGNATURE].map(name => name.toLowerCase()));
  return Object.entries(headers).some(
    ([name, value]) => value !== undefined && names.has(name.toLowerCase()),
  );
}

/**
 * Returns when a request proves by uni-cloud-s2s that its sender knows the configured secret; throws
 * BridgeError CALLER_UNKNOWN otherwise, with a hint that says what differs and never what would be right.
 * A signature is good for one request within the tolerance; a connect code is good for any number.
 *
 * @see https://doc.dcloud.net.cn/uniCloud/uni-cloud-s2s.html
 */
export async function verifyS2s(
  settings: S2sSettings,
  request: S2sRequest,
  replays: ReplayGuard,
): Promise<void> {
  if (settings.type === 'connectCode') return verifyConnectCode(settings.connectCode, request.headers);
  const timestamp = timestampOf(request);
  const signature = signatureOf(request.headers, settings.hashMethod);
  // Parameters first: what they lack is told the same way whether or not the clock is right.
  const payload = s2sPayload(dataOf(request));
  checkClock(timestamp, request.now, settings.toleranceMs);

  const matches = (hash: S2sHash): boolean =>
    equalInConstantTime(s2sDigest(hash, settings.signKey, timestamp, payload), signature);
  const isMd5 = settings.hashMethod === 'sha256' && matches('md5');
  const accepted = matches(settings.hashMethod) || (isMd5 && settings.quirks.includes('sha256-is-md5'));
  if (!accepted) throw isMd5 ? md5Sent() : signatureDiffers();

  const untilMs = Number(timestamp) + settings.toleranceMs;
  if (await replays.firstUse(`s2s:${signature}`, untilMs)) return;
  throw denied(
    'this signature was used before',
    'sign every request anew with the present time; two requests with the same parameters signed within one millisecond have the same signature, so add a parameter that differs, such as "nonce"',
  );
}

/**
 * The headers that prove a request with these parameters, for a client. `data` is what is sent: the query
 * of a GET, or the form or JSON body of a POST before it is written out. Throws TypeError when it cannot be
 * written as JSON.
 *
 * @example
 * const headers = signS2s(credentials, { data: { dcloudAppid, platform: 'weixin-mp' }, now: clock.now() });
 */
export function signS2s(
  credentials: S2sCredentials,
  request: { readonly data: S2sData; readonly now: number },
): Readonly<Record<string, string>> {
  if (credentials.type === 'connectCode') {
    return { [AUTHORIZATION]: `${CONNECT_CODE_SCHEME} ${credentials.connectCode.reveal()}` };
  }
  const { signKey, hashMethod, quirks } = credentials;
  // Dates and the like arrive as what JSON makes of them, and that is what the other side signs.
  const data = JSON.parse(JSON.stringify(request.data)) as S2sData;
  const timestamp = String(Math.trunc(request.now));
  const md5 = hashMethod === 'sha256' && quirks.includes('sha256-is-md5');
  const digest = s2sDigest(md5 ? 'md5' : hashMethod, signKey, timestamp, s2sPayload(data));
  return { [TIMESTAMP]: timestamp, [SIGNATURE]: `${hashMethod} ${digest}` };
}

/** How far a signer's timestamps may run ahead of its clock, well within the usual tolerance of 60 s. */
const MOST_AHEAD_MS = 10_000;

/**
 * Signs one request after the other with timestamps that differ, so that equal requests sent within one
 * millisecond are not taken for a replay. More than a thousand requests a second let them run ahead of
 * the clock, by 10 s at most; beyond that they repeat.
 */
export function createS2sSigner(
  credentials: S2sCredentials,
  now: () => number,
): (data: S2sData) => Readonly<Record<string, string>> {
  let last = Number.NEGATIVE_INFINITY;
  return data => {
    const time = Math.trunc(now());
    // A clock that was set back is believed.
    last = last - time > MOST_AHEAD_MS ? time : Math.max(time, Math.min(last + 1, time + MOST_AHEAD_MS));
    return signS2s(credentials, { data, now: last });
  };
}

function verifyConnectCode(connectCode: Secret, headers: S2sHeaders): void {
  const value = headerOf(headers, AUTHORIZATION);
  if (value === undefined) {
    throw headerOf(headers, SIGNATURE) === undefined
      ? missing(AUTHORIZATION, `${CONNECT_CODE_SCHEME} <connect code>`)
      : denied(
          'the request is signed, and s2s.type is connectCode here',
          `send "${AUTHORIZATION}: ${CONNECT_CODE_SCHEME} <connect code>", or set s2s.type to "sign" on this side`,
        );
  }
  const [scheme, code, ...rest] = value.split(' ');
  if (scheme?.toUpperCase() !== CONNECT_CODE_SCHEME || code === undefined || rest.length > 0) {
    throw denied(
      `the header ${AUTHORIZATION} is not well-formed`,
      `it must be "${CONNECT_CODE_SCHEME} <connect code>" with one space`,
    );
  }
  if (!connectCode.matches(code)) {
    throw denied(
      'the connect code is not the configured one',
      'compare s2s.connectCode here with connectCode on the side that calls',
    );
  }
}

function timestampOf({ headers }: S2sRequest): string {
  const timestamp = headerOf(headers, TIMESTAMP);
  if (timestamp === undefined && headerOf(headers, AUTHORIZATION) !== undefined) {
    throw denied(
      'the request carries a connect code, and s2s.type is sign here',
      `sign the request, or set s2s.type to "connectCode" on this side`,
    );
  }
  if (timestamp === undefined) throw missing(TIMESTAMP, '<milliseconds since 1970>');
  if (/^\d{1,16}$/.test(timestamp)) return timestamp;
  throw denied(
    `the header ${TIMESTAMP} is not well-formed`,
    'it must be the time in milliseconds since 1970, in decimal digits',
  );
}

function signatureOf(headers: S2sHeaders, hashMethod: S2sHash): string {
  const form = `${hashMethod} <lower-case hex>`;
  const value = headerOf(headers, SIGNATURE);
  if (value === undefined) throw missing(SIGNATURE, form);
  const [algorithm = '', signature, ...rest] = value.split(' ');
  if (signature === undefined || rest.length > 0) {
    throw denied(
      `the header ${SIGNATURE} is not well-formed`,
      `it must be "${form}": the algorithm, one space, the digest`,
    );
  }
  if (algorithm === hashMethod) return signature;
  throw denied(
    `the request is signed with ${shown(algorithm)}, and s2s.hashMethod is ${hashMethod} here`,
    'set the same hashMethod on both sides',
  );
}

function checkClock(timestamp: string, now: number, toleranceMs: number): void {
  const differenceMs = Number(timestamp) - now;
  if (Math.abs(differenceMs) <= toleranceMs) return;
  if (timestamp.length === 10) {
    throw denied(
      'the timestamp seems to be in seconds',
      `${TIMESTAMP} is in milliseconds since 1970: 13 digits`,
    );
  }
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  throw denied(
    `the timestamp is ${seconds} s ${differenceMs < 0 ? 'behind' : 'ahead of'} the clock here; ${toleranceMs / 1000} s are allowed`,
    'set both clocks by NTP and sign each request when it is sent; s2s.timeDiffTolerance sets how much is allowed',
  );
}

function signatureDiffers(): BridgeError {
  return denied(
    'the signature does not fit the parameters',
    'check that both sides have the same signKey; signed are the top-level strings, numbers and booleans of what is sent, sorted by name, as a=1&b=2 without URL encoding',
  );
}

function md5Sent(): BridgeError {
  return denied(
    'the signature is an MD5 digest under the name sha256',
    'the uni-cloud-s2s module 1.0.1 does that: use hmac-sha256 on both sides, or set s2s.quirks to ["sha256-is-md5"] here',
  );
}

function missing(header: string, form: string): BridgeError {
  return denied(`the header ${header} is missing`, `send "${header}: ${form}"`);
}
