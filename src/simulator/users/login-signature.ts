import { createHmac } from 'node:crypto';

/**
 * Whether `signature` is the login-state signature of a body (page "user login-state signature"): hex
 * HMAC-SHA256, the session_key's text as it is being the key. The case of the hex digits is ignored.
 */
export function isLoginSignature(signature: string, sessionKey: string, body: Uint8Array): boolean {
  return signature.toLowerCase() === createHmac('sha256', sessionKey).update(body).digest('hex');
}
