import { fingerprintOf, type Secret } from '../../../base/secret.ts';

/** Parameters and fields of the platform's API whose value is a credential. */
const NAMES =
  'access_token|cloudbase_access_token|component_access_token|authorizer_access_token|refresh_token|' +
  'authorizer_refresh_token|secret|appsecret|component_appsecret|component_secret|component_verify_ticket|' +
  'ticket|session_key|encrypt_key|js_code|code';
const IN_QUERY = new RegExp(`(^|[?&])(${NAMES})=[^&#"\\s]*`, 'gi');
const IN_JSON = new RegExp(`("(?:${NAMES})"\\s*:\\s*")(?:[^"\\\\]|\\\\.)*`, 'gi');

/** What may be a token that stands alone: all that platforms issue are long and made of these characters. */
const TOKEN = /[\w-]{20,}/g;

/**
 * Takes credentials out of a URL or a body that the platform shows: those it names so, and wherever they stand
 * `known` and the token of this fingerprint, as a call may have had one that was renewed since.
 */
export function maskSecrets(text: string, known: Secret, fingerprint?: string): string {
  const value = known.reveal();
  return text
    .replaceAll(value, '***')
    .replaceAll(encodeURIComponent(value), '***')
    .replace(IN_QUERY, '$1$2=***')
    .replace(IN_JSON, '$1***')
    .replace(TOKEN, word => (fingerprintOf(word) === fingerprint ? '***' : word));
}
