import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dropParameters, readQuery } from './query.ts';

const TOKENS = ['access_token', 'cloudbase_access_token'];
const read = (query: string): ReturnType<typeof readQuery> => readQuery(query, TOKENS);
const NONE = { appid: undefined, token: undefined, emptyToken: false };

/** A name with some of its letters percent-encoded, in either case of hex digits. */
function spelled(name: string): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom('plain', 'upper', 'lower'), { minLength: name.length, maxLength: name.length })
    .map(how =>
      [...name]
        .map((char, i) => {
          const hex = char.charCodeAt(0).toString(16);
          return how[i] === 'plain' ? char : `%${how[i] === 'upper' ? hex.toUpperCase() : hex}`;
        })
        .join(''),
    );
}

const other = fc
  .stringMatching(/^[!-%'-~]{0,12}$/)
  .filter(text => !/access|appid|%/i.test(text.split('=')[0] ?? ''));

describe('readQuery', () => {
  test.each([
    ['', { ...NONE, query: '' }],
    ['a=1&b', { ...NONE, query: 'a=1&b' }],
    ['from_appid=wx1', { ...NONE, query: '', appid: 'wx1' }],
    ['from_appid=wx1&a=1', { ...NONE, query: 'a=1', appid: 'wx1' }],
    ['a=1&from_appid=wx1', { ...NONE, query: 'a=1', appid: 'wx1' }],
    ['a=1&from_appid=wx1&&b=%zz', { ...NONE, query: 'a=1&&b=%zz', appid: 'wx1' }],
    ['a=1&from%5fappid=wx%31', { ...NONE, query: 'a=1', appid: 'wx1' }],
    ['from_appid', { ...NONE, query: '' }],
    ['from_appid=&a', { ...NONE, query: 'a' }],
    ['from_appid2=x&xfrom_appid=y', { ...NONE, query: 'from_appid2=x&xfrom_appid=y' }],
    ['access_token=T&a', { ...NONE, query: 'access_token=T&a', token: 'T' }],
    ['access%5Ftoken=T', { ...NONE, query: 'access%5Ftoken=T', token: 'T' }],
    ['cloudbase_access_token=T', { ...NONE, query: 'cloudbase_access_token=T', token: 'T' }],
    ['access_token=', { ...NONE, query: 'access_token=', emptyToken: true }],
    ['access_token', { ...NONE, query: 'access_token', emptyToken: true }],
    [
      'access_token=&cloudbase_access_token=T',
      { ...NONE, query: 'access_token=&cloudbase_access_token=T', token: 'T', emptyToken: true },
    ],
    ['x=access_token=T', { ...NONE, query: 'x=access_token=T' }],
  ])('%s', (query, reading) => {
    expect(read(query)).toEqual(reading);
  });

  test.each([
    'access_token=a&access_token=b',
    'access_token=&access%5Ftoken=b',
    'cloudbase_access_token=a&b&cloudbase_access_token',
    'from_appid=a&from_appid=a',
    'from_appid=a&x=1&%66rom_appid=b',
  ])('refuses %s', query => {
    expect(() => read(query)).toThrow(
      expect.objectContaining({
        code: 'REQUEST_MALFORMED',
        message: expect.stringContaining('more than once'),
      }),
    );
  });

  test('takes from_appid out wherever and however it is written, and leaves the rest byte for byte', () => {
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 5 }),
        fc.array(other, { maxLength: 5 }),
        spelled('from_appid'),
        (before, after, name) => {
          const { query, appid } = read([...before, `${name}=wx1`, ...after].join('&'));
          expect(appid).toBe('wx1');
          expect(query).toBe([...before, ...after].join('&'));
        },
      ),
    );
  });

  test('sees a token of the caller’s own in any spelling', () => {
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 5 }),
        spelled('access_token'),
        fc.array(other, { maxLength: 3 }),
        (before, name, after) => {
          const query = [...before, `${name}=T`, ...after].join('&');
          expect(read(query)).toMatchObject({ token: 'T', query });
        },
      ),
    );
  });
});

test('dropParameters leaves every other parameter byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(other, { maxLength: 5 }),
      fc.array(other, { maxLength: 5 }),
      spelled('access_token'),
      (before, after, name) => {
        expect(dropParameters([...before, `${name}=`, ...after].join('&'), TOKENS)).toBe(
          [...before, ...after].join('&'),
        );
      },
    ),
  );
});
