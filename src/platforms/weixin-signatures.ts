import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { BridgeError } from '../base/errors.ts';
import { jsonObjectIn } from '../base/json-object.ts';
import { equalInConstantTime, type Secret } from '../base/secret.ts';

/** AES-128: key and initialisation vector are 16 bytes each, and so is a block. */
const BLOCK_BYTES = 16;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const LOGIN_HINT = 'have the user call wx.login, exchange its code, and send data that was made after that';
const BASE64_HINT =
  'send it exactly as the mini program got it: base64 with + and /, which URL and form encoding must escape';

/**
 * The login-state signature of a request that is signed with a user's session key (`checksession`,
 * `resetusersessionkey`, `getuserencryptkey`, xpay): lower-case hex HMAC-SHA256 with `sig_method=hmac_sha256`.
 * The key is the session_key's text as it is, not what it decodes to. `message` is the body of the request
 * byte for byte, and empty when it has none.
 */
export function loginStateSignature(sessionKey: Secret, message = ''): string {
  return createHmac('sha256', sessionKey.reveal()).update(message).digest('hex');
}

/** The `signature` that a mini program gets beside `rawData`: lower-case hex SHA-1 of rawData and session_key put together. */
export function rawDataSignature(sessionKey: Secret, rawData: string): string {
  return sha1(rawData + sessionKey.reveal());
}

/** Whether `signature` is that of `rawData` under this session key. Compares in constant time; case does not matter. */
export function matchesRawData(sessionKey: Secret, rawData: string, signature: string): boolean {
  return equalInConstantTime(rawDataSignature(sessionKey, rawData), signature.toLowerCase());
}

/** Encrypted open data as a mini program sends it: both base64. `appid` is whose data it has to be. */
export interface EncryptedOpenData {
  readonly encryptedData: string;
  readonly iv: string;
  readonly appid: string;
}

/**
 * Decrypts open data (AES-128-CBC, PKCS#7) and checks that its watermark names `appid`. Throws BridgeError:
 * REQUEST_MALFORMED when the data or the iv is no such thing or belongs to another app, so that no other
 * key will help; CREDENTIAL_UNAVAILABLE when this session key does not open it, so that another key may.
 * The cipher has no integrity of its own: use `matchesRawData` to know that plain data was not changed.
 */
export function decryptOpenData(
  sessionKey: Secret,
  { encryptedData, iv, appid }: EncryptedOpenData,
): Readonly<Record<string, unknown>> {
  const vector = readBytes('iv', iv);
  if (vector.length !== BLOCK_BYTES) throw malformed(`iv is ${vector.length} bytes long, not ${BLOCK_BYTES}`);
  const data = readBytes('encryptedData', encryptedData);
  if (data.length === 0 || data.length % BLOCK_BYTES !== 0)
    throw malformed(`encryptedData is ${data.length} bytes long, which is no whole number of blocks`);
  const opened = decrypt(readKey(sessionKey), vector, data);
  if (opened === undefined) throw notOpened();
  checkWatermark(opened, appid);
  return opened;
}

/** What a page's JS-SDK signature covers. `timestamp` is in seconds since the Unix epoch. */
export interface JsSdkPage {
  readonly noncestr: string;
  readonly timestamp: number;
  /** The page's address as the browser shows it, not encoded anew; a fragment is left out of the signature. */
  readonly url: string;
}

/**
 * The `signature` for `wx.config`: lower-case hex SHA-1 over jsapi ticket, nonce, timestamp and address.
 * The page itself takes the nonce under the name `nonceStr`.
 */
export function jsSdkSignature(ticket: Secret, { noncestr, timestamp, url }: JsSdkPage): string {
  const [address = ''] = url.split('#', 1);
  return sha1(`jsapi_ticket=${ticket.reveal()}&noncestr=${noncestr}&timestamp=${timestamp}&url=${address}`);
}

/**
 * The signature for `wx.addCard` and `wx.chooseCard`: lower-case hex SHA-1 of the `wx_card` ticket and
 * every value of the call that is signed (timestamp, nonce_str, card_id, code, openid, …), sorted by value
 * and put together without anything between. Their names and their order do not matter.
 */
export function cardSignature(ticket: Secret, values: readonly string[]): string {
  return sha1([ticket.reveal(), ...values].sort().join(''));
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** Node decodes anything as base64, so that a plus sign lost on the way would only show as another value. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && BASE64.test(text);
}

function readKey(sessionKey: Secret): Buffer {
  const text = sessionKey.reveal();
  const key = Buffer.from(text, 'base64');
  if (isBase64(text) && key.length === BLOCK_BYTES) return key;
  throw new BridgeError(
    'CREDENTIAL_UNAVAILABLE',
    `the session_key that is kept is not ${BLOCK_BYTES} bytes in base64`,
    { hint: `it cannot have come from the platform as it is; ${LOGIN_HINT}` },
  );
}

function readBytes(name: string, text: string): Buffer {
  if (!isBase64(text)) throw malformed(`${name} is not base64`);
  return Buffer.from(text, 'base64');
}

/** The JSON object inside; undefined when there is none, whatever the reason. */
function decrypt(key: Buffer, iv: Buffer, data: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const decipher = createDecipheriv('aes-128-cbc', key, iv);
    const plain = Buffer.concat([decipher.update(data), decipher.final()]);
    return jsonObjectIn(new TextDecoder('utf-8', { fatal: true }).decode(plain));
  } catch {
    return undefined;
  }
}

/** Bad padding and bad JSON get the same words: telling them apart would let a stranger decrypt by trial (padding oracle). */
function notOpened(): BridgeError {
  return new BridgeError(
    'CREDENTIAL_UNAVAILABLE',
    'encryptedData does not open with this session_key and iv',
    {
      hint: `it was most likely made under another session_key, or iv belongs to other data; ${LOGIN_HINT}`,
    },
  );
}

function checkWatermark(opened: Readonly<Record<string, unknown>>, appid: string): void {
  const watermark = opened['watermark'];
  const found =
    typeof watermark === 'object' && watermark !== null
      ? (watermark as Record<string, unknown>)['appid']
      : undefined;
  if (found === appid) return;
  throw malformed(
    typeof found === 'string'
      ? `encryptedData belongs to ${found}, not to ${appid}`
      : 'encryptedData carries no watermark, so it is unknown whose it is',
    `send data that the mini program ${appid} got from the platform itself`,
  );
}

function malformed(message: string, hint = BASE64_HINT): BridgeError {
  return new BridgeError('REQUEST_MALFORMED', message, { hint });
}
