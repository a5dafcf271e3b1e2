import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  CONNECTION,
  CONTENT_LENGTH,
  FORWARDED_FOR,
  HOP_BY_HOP,
  HOST,
  KEY,
  meaningOf,
  ORIGIN,
  OTHER,
  SEQID,
  TRANSFER_ENCODING,
} from './header-names.ts';

const KNOWN: readonly (readonly [name: string, meaning: number])[] = [
  ['connection', CONNECTION],
  ['content-length', CONTENT_LENGTH],
  ['expect', HOP_BY_HOP],
  ['host', HOST],
  ['keep-alive', HOP_BY_HOP],
  ['origin', ORIGIN],
  ['proxy-authenticate', HOP_BY_HOP],
  ['proxy-authorization', HOP_BY_HOP],
  ['proxy-connection', HOP_BY_HOP],
  ['te', HOP_BY_HOP],
  ['trailer', HOP_BY_HOP],
  ['trailers', HOP_BY_HOP],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['upgrade', HOP_BY_HOP],
  ['x-bridge-key', KEY],
  ['x-forwarded-for', FORWARDED_FOR],
  ['x-openapi-seqid', SEQID],
];

test('a name means the same in any case', () => {
  fc.assert(
    fc.property(fc.constantFrom(...KNOWN), fc.array(fc.boolean()), ([name, meaning], raised) => {
      const cased = [...name].map((char, at) => (raised[at] ? char.toUpperCase() : char)).join('');
      expect(meaningOf(cased)).toBe(meaning);
    }),
  );
});

test('a name that differs by one character means nothing', () => {
  const changed = fc
    .tuple(fc.constantFrom(...KNOWN), fc.nat(), fc.constantFrom(...'abcxyz0189-_!~'))
    .map(([[name], at, char]) => {
      const place = at % name.length;
      return name.slice(0, place) + char + name.slice(place + 1);
    })
    .filter(name => !KNOWN.some(([known]) => known === name));
  fc.assert(
    fc.property(changed, name => {
      expect(meaningOf(name)).toBe(OTHER);
    }),
  );
});

test('no name, and names longer than any known, mean nothing', () => {
  expect(meaningOf('')).toBe(OTHER);
  expect(meaningOf(`proxy-authorization-${'x'.repeat(200)}`)).toBe(OTHER);
});
