import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMultipart } from './multipart.ts';

const form = async (data: FormData) => {
  const request = new Request('http://localhost', { method: 'POST', body: data });
  return { type: request.headers.get('content-type') ?? '', body: Buffer.from(await request.arrayBuffer()) };
};

test('whatever bytes a file holds come back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async content => {
      const data = new FormData();
      data.append('media', new Blob([Buffer.from(content)], { type: 'image/png' }), '图 "1".png');
      data.append('description', '{"title":"t"}');
      const { type, body } = await form(data);
      const parts = parseMultipart(type, body);
      expect(parts?.map(({ name, contentType }) => [name, contentType])).toEqual([
        ['media', 'image/png'],
        ['description', 'application/octet-stream'],
      ]);
      expect(parts?.[0]?.filename).toMatch(/^图 /);
      expect(parts?.[0]?.body.equals(Buffer.from(content))).toBe(true);
      expect(parts?.[1]?.body.toString()).toBe('{"title":"t"}');
    }),
  );
});

test('a preamble, quoted boundary and bare filename are understood', () => {
  const body =
    'preamble\r\n--b b\r\nContent-Disposition: form-data; name=media; filename=a.txt\r\n\r\n\r\nx\r\n\r\n--b b--\r\n';
  const parts = parseMultipart('multipart/form-data; boundary="b b"', Buffer.from(body));
  expect(parts?.map(part => ({ ...part, body: part.body.toString() }))).toEqual([
    { name: 'media', filename: 'a.txt', contentType: 'application/octet-stream', body: '\r\nx\r\n' },
  ]);
});

test.each([
  ['no multipart', 'application/json', '{}'],
  ['no boundary', 'multipart/form-data', '--b--'],
  ['the boundary never comes', 'multipart/form-data; boundary=b', 'text'],
  [
    'it never ends',
    'multipart/form-data; boundary=b',
    '--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx',
  ],
])('%s: undefined', (_, type, body) => {
  expect(parseMultipart(type, Buffer.from(body))).toBeUndefined();
});
