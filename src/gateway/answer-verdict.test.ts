import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginsObject, readVerdict } from './answer-verdict.ts';
import type { Answer } from './call.ts';

function answer(
  body: Buffer | string | undefined,
  contentType = 'application/json',
  contentEncoding = '',
): Answer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return { status: 200, reason: undefined, headers: [], contentType, contentEncoding, body: bytes };
}

const RID = '65a1b2c3-0f0f0f0f-1a2b3c4d';

describe('readVerdict', () => {
  test.each([
    ['{"errcode":40001,"errmsg":"x"}', 40001],
    ['{"errcode":0,"errmsg":"ok"}', 0],
    [' \r\n\t{"errcode":42001}', 42001],
    ['\ufeff{"errcode":42001}', 42001],
    ['{"errcode":"40014"}', 40014],
    ['{"request_id":"r","error_type":"SafeLinkError","error_code":"85107"}', 85107],
    ['{"errcode":-1}', -1],
    ['{"list":[{"errcode":40001}]}', undefined],
    ['{"note":"\\"errcode\\":40001"}', undefined],
    ['{"errcode":40001', undefined],
    ['{"errcode":null}', undefined],
    ['{"errcode":1.5}', undefined],
    ['{"errcode":"1e9"}', undefined],
    ['[{"errcode":40001}]', undefined],
    ['{"access_token":"x"}', undefined],
    ['', undefined],
    ['   ', undefined],
  ])('%s', (body, errcode) => {
    expect(readVerdict(answer(body))?.errcode).toBe(errcode);
  });

  test.each([
    [`invalid credential, access_token is invalid or not latest rid: ${RID}`, RID],
    [`access_token expired, rid: ${RID}`, RID],
    ['ok', undefined],
    ['rid: 65a1b2c3', undefined],
  ])('rid in %j', (errmsg, rid) => {
    expect(readVerdict(answer(JSON.stringify({ errcode: 1, errmsg })))?.rid).toBe(rid);
  });

  test.each([
    ['{"errcode":0,"errmsg":"ok","errcode":40001}', 40001, undefined],
    ['{"errcode":0,"errmsg":"ok","\\u0065rrcode":40001}', 40001, undefined],
    [`{"errcode":0,"errmsg":"ok","errmsg":"rid: ${RID}"}`, 0, RID],
    ['{"errcode":0,"errmsg":"ok","list":[{"errcode":40001}]}', 0, undefined],
    ['{"errcode":0,"errmsg":"ok, but","errcode":40014}', 40014, undefined],
  ])('of what is said twice the last counts: %s', (body, errcode, rid) => {
    expect(readVerdict(answer(body))).toEqual({ errcode, rid });
  });

  test('a success is read as it would be when parsed', () => {
    const member = fc.tuple(
      fc.constantFrom('errcode', 'errmsg', 'error_code', 'list', 'x\\"errcode', 'rid'),
      fc.jsonValue({ maxDepth: 2 }),
    );
    fc.assert(
      fc.property(fc.array(member, { maxLength: 4 }), members => {
        const rest = members
          .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
          .join('');
        const body = `{"errcode":0,"errmsg":"ok"${rest}}`;
        const { errcode } = JSON.parse(body) as { errcode: unknown };
        if (Number.isSafeInteger(errcode)) expect(readVerdict(answer(body))?.errcode).toBe(errcode);
      }),
    );
  });

  test.each(['application/json', 'text/plain', 'text/html', ''])('looks into %j', type => {
    expect(readVerdict(answer('{"errcode":1}', type))?.errcode).toBe(1);
  });

  test.each(['image/jpeg', 'audio/amr', 'video/mp4', 'application/octet-stream'])(
    'does not look into %s',
    type => {
      expect(readVerdict(answer('{"errcode":1}', type))).toBeUndefined();
    },
  );

  const json = Buffer.from('{"errcode":40001,"errmsg":"packed"}');
  test.each([
    ['gzip', gzipSync(json)],
    ['x-gzip', gzipSync(json)],
    ['deflate', deflateSync(json)],
    ['deflate', deflateRawSync(json)],
    ['br', brotliCompressSync(json)],
    ['zstd', zstdCompressSync(json)],
    ['identity', json],
  ])('unpacks %s', (coding, body) => {
    expect(readVerdict(answer(body, 'application/json', coding))?.errcode).toBe(40001);
  });

  test('a bomb, broken data and unknown codings are left alone', () => {
    const bomb = gzipSync(Buffer.from(`{"errcode":40001,"x":"${' '.repeat(10_000_000)}"}`));
    expect(bomb.length).toBeLessThan(64 * 1024);
    expect(readVerdict(answer(bomb, 'application/json', 'gzip'))).toBeUndefined();
    expect(readVerdict(answer(json, 'application/json', 'gzip'))).toBeUndefined();
    expect(readVerdict(answer(json, 'application/json', 'compress'))).toBeUndefined();
    expect(readVerdict(answer(gzipSync(gzipSync(json)), 'application/json', 'gzip, gzip'))).toBeUndefined();
  });

  test('a large answer is not looked into', () => {
    expect(readVerdict(answer(`{"errcode":40001,"x":"${'x'.repeat(70_000)}"}`))).toBeUndefined();
  });
});

test.each([
  ['{', true],
  ['  {', true],
  ['\r\n\t ', undefined],
  ['', undefined],
  ['[', false],
  ['\x89PNG', false],
])('beginsObject(%j) is %s', (text, begins) => {
  expect(beginsObject(Buffer.from(text, 'latin1'))).toBe(begins);
});
