/** A line of a file, or why it cannot be read. Lines are numbered from 1. */
export type Line =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly fault: string };

const NEWLINE = 0x0a;

/**
 * The lines of UTF-8 text that comes in chunks, in constant memory: a line of more than `maxBytes` is
 * passed over with a fault, as is one that is not UTF-8. Takes `\n` and `\r\n`; lines without anything but
 * white space are left out, as is a byte order mark.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  /** What has come of the line so far; `length` counts on when the rest is no longer kept. */
  let parts: Uint8Array[] = [];
  let length = 0;

  const take = (part: Uint8Array): void => {
    length += part.length;
    if (length > maxBytes) parts = [];
    else parts.push(part);
  };
  const finish = (): Line | undefined => {
    number += 1;
    const bytes = Buffer.concat(parts);
    const tooLong = length > maxBytes;
    parts = [];
    length = 0;
    if (tooLong) return { number, fault: `is longer than ${maxBytes} bytes` };
    try {
      const text = decoder.decode(bytes).trim();
      return text === '' ? undefined : { number, text };
    } catch {
      return { number, fault: 'is not UTF-8' };
    }
  };

  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at));
      from = at + 1;
      const line = finish();
      if (line !== undefined) yield line;
    }
    take(chunk.subarray(from));
  }
  const last = length > 0 ? finish() : undefined;
  if (last !== undefined) yield last;
}
