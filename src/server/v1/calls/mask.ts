import type { Secret } from '../../../base/secret.ts';

/** Parameters and fields of the platform's API whose value is a credential. */
const NAMES =
  'access_token|cloudbase_access_token|component_access_token|authorizer_access_token|refresh_token|' +
  'authorizer_refresh_token|secret|appsecret|component_appsecret|component_secret|component_verify_ticket|' +
  'ticket|session_key|encrypt_key|js_code|code';
const IN_QUERY = new RegExp(`(^|[?&])(${NAMES})=[^&#"\\s]*`, 'gi');
const IN_JSON = new RegExp(`("(?:${NAMES})"\\s*:\\s*")(?:[^"\\\\]|\\\\.)*`, 'gi');

/** Takes credentials out of a URL or a body that the platform shows: those it names so, and `known` wherever it stands. */
export function maskSecrets(text: string, known: Secret): string {
  const value = known.reveal();
  return text
    .replaceAll(value, '***')
    .replaceAll(encodeURIComponent(value), '***')
    .replace(IN_QUERY, '$1$2=***')
    .replace(IN_JSON, '$1***');
}
