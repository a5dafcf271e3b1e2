/** The bytes HTTP/1.1 messages are made of (RFC 9110, section 5.5 and 5.6.2; RFC 9112). */

export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
export const TAB = 0x09;
export const COLON = 0x3a;

/** Marks the characters of a token: methods and header names. */
export const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN[char.charCodeAt(0)] = 1;

/** Marks the characters of a header value or a reason phrase: tab, blank, visible ASCII and bytes from 0x80. */
export const FIELD_VALUE = new Uint8Array(256).fill(1, SPACE).fill(0, 0x7f, 0x80);
FIELD_VALUE[TAB] = 1;

/**
 * Whether a header name is this one, which is given in lower case and made of letters and hyphens. Compared
 * in place, as a copy in lower case of each name would cost more than all else that is done with it.
 */
export function isNamed(name: string, lower: string): boolean {
  if (name.length !== lower.length) return false;
  // Only letters differ between cases, and by this one bit; what else it makes a hyphen is in no token.
  for (let at = 0; at < lower.length; at += 1)
    if ((name.charCodeAt(at) | 0x20) !== lower.charCodeAt(at)) return false;
  return true;
}

/** Whether a text is one token. */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (TOKEN[text.charCodeAt(at)] !== 1) return false;
  return text !== '';
}

/** Whether a text can stand as a header value without becoming anything else. */
export function isFieldValue(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (FIELD_VALUE[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/**
 * A message that is not HTTP/1.1, or that could be read in two ways. Its text is fixed and holds nothing
 * of the message, so it may be shown to anybody.
 */
export class HttpSyntaxError extends Error {
  override readonly name = 'HttpSyntaxError';
  /** The message may be well-formed, but its head is larger than is accepted. */
  readonly headTooLarge: boolean;

  constructor(what: string, headTooLarge = false) {
    super(what);
    this.headTooLarge = headTooLarge;
  }
}
