/** How many characters of a value in a row betray it: enough to be no accident, few enough to survive a cut. */
export const FRAGMENT = 12;

/** Shorter texts turn up by accident. */
const SHORTEST = 8;

/** A way to write a value that leaves it readable for whoever knows the way. */
export interface Form {
  readonly name: string;
  /** One character a byte, as the places are read that it is looked for in. */
  readonly text: string;
  /** How many characters of it in a row are a hit. */
  readonly fragment: number;
}

/**
 * All forms in which a value may leak. Bytes are what is written down, so that one search does for text and
 * for database files. Throws TypeError for a value too short to be told from an accident.
 */
export function formsOf(value: string): readonly Form[] {
  if (value.length < SHORTEST) throw new TypeError(`a canary of ${value.length} characters is too short`);
  const json = inJson(value);
  const url = encodeURIComponent(value);
  const plain = [
    { name: 'raw', text: value },
    { name: 'JSON', text: json },
    { name: 'JSON with escaped slashes', text: json.replaceAll('/', '\\/') },
    { name: 'JSON in JSON', text: inJson(json) },
    { name: 'URL', text: url },
    { name: 'URL in lower case', text: url.replaceAll(/%../g, code => code.toLowerCase()) },
    { name: 'form', text: new URLSearchParams({ value }).toString().slice('value='.length) },
    { name: 'URL in a URL', text: encodeURIComponent(url) },
  ].map(({ name, text }) => ({ name, text: latin1(text), fragment: FRAGMENT }));
  const hex = Buffer.from(value).toString('hex');
  const coded = [
    { name: 'hex', text: hex, fragment: 2 * FRAGMENT },
    { name: 'hex in upper case', text: hex.toUpperCase(), fragment: 2 * FRAGMENT },
    ...inBase64(value),
  ];
  const seen = new Set<string>();
  return [...plain, ...coded]
    .filter(({ text }) => !seen.has(text) && seen.add(text) !== undefined)
    .map(form => ({ ...form, fragment: Math.min(form.fragment, form.text.length) }));
}

/**
 * Base64 of a value that stands somewhere within what was encoded: what it looks like depends on where it
 * begins, modulo three, and the characters at its edges depend on its neighbours.
 */
function inBase64(value: string): readonly Form[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap(before => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = Math.ceil((before * 4) / 3);
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    const text = encoded.slice(first, whole);
    const url = text.replaceAll('+', '-').replaceAll('/', '_');
    // A character that is made of two bytes, one of which is cut off, tells nothing.
    const fragment = (FRAGMENT * 4) / 3 - 1;
    return [
      { name: 'base64', text, fragment },
      { name: 'base64url', text: url, fragment },
    ];
  });
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
