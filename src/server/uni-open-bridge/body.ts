import { nearest } from '../../base/nearest.ts';
import { malformed } from '../../common/malformed.ts';

/** What a function is sent: the fields of one JSON object, or of a form. */
export type Body = Readonly<Record<string, unknown>>;

const EXAMPLE = 'send a JSON object such as {"dcloudAppid":"__UNI__…","platform":"weixin-mp"}';

/** Fields that are true or false, which a form can only say as text. */
const SWITCHES: ReadonlySet<string> = new Set(['detail', 'obtain']);

/**
 * Reads what was sent. JSON is read whatever the content type says, since clients that send a wrong one or
 * none are many; a form is enough for what takes no value object. Throws REQUEST_MALFORMED.
 */
export function readBody(bytes: unknown, contentType: string | undefined): Body {
  if (!(bytes instanceof Uint8Array) || bytes.length === 0)
    throw malformed('the request has no body', `${EXAMPLE}; the query is not read`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    throw malformed('the body is not UTF-8', EXAMPLE);
  }
  const isForm = contentType?.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded';
  return isForm && !text.startsWith('{') ? readForm(text) : readJson(text);
}

function readJson(text: string): Body {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // The parser's own message would repeat part of the body, which may be secret.
    throw malformed('the body is not JSON', EXAMPLE);
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  throw malformed('the body is not a JSON object', EXAMPLE);
}

function readForm(text: string): Body {
  const fields = [...new URLSearchParams(text)];
  const body = Object.fromEntries(
    fields.map(([name, value]) => [
      name,
      SWITCHES.has(name) && /^(true|false)$/.test(value) ? value === 'true' : value,
    ]),
  );
  if (Object.keys(body).length < fields.length)
    throw malformed('a field of the form is given more than once', 'give each field once');
  if ('value' in body || 'expiresIn' in body)
    throw malformed('a form cannot carry a value object', EXAMPLE.replace('}', ',"value":{…}}'));
  return body;
}

/**
 * The life a value is sent with. Fields that are not known are ignored, since callers sign and trace with
 * fields of their own; but a misspelt life would make a value that never ends, so that is REQUEST_MALFORMED.
 */
export function lifeIn(body: Body): unknown {
  if ('expiresIn' in body) return body['expiresIn'];
  const misspelt = Object.keys(body).find(name => nearest(name, ['expiresIn']) !== undefined);
  if (misspelt === undefined) return undefined;
  throw malformed(
    `${JSON.stringify(misspelt)} is not a field`,
    'did you mean expiresIn? without it the value never expires',
  );
}
