import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEvidence, evidenceOf } from './evidence.ts';
import { FRAGMENT, formsOf } from './forms.ts';
import { createPlanted } from './planted.ts';
import { createSearch } from './search.ts';

const VALUE = 'k3y+/=with"quotes\\and %signs>>>&???more-0123456789';
const canary = { name: 'the key', kind: 'key', value: VALUE };
const search = createSearch([canary]);
const formsIn = (place: string | Uint8Array): readonly string[] => search(place).map(({ form }) => form);

const encoders: readonly (readonly [string, (text: string) => string | Uint8Array])[] = [
  ['raw', text => `before ${text} after`],
  ['JSON', text => JSON.stringify({ value: text })],
  ['JSON with escaped slashes', text => JSON.stringify(text).replaceAll('/', '\\/')],
  ['JSON in JSON', text => JSON.stringify({ line: JSON.stringify({ value: text }) })],
  ['URL', text => `https://a/b?c=${encodeURIComponent(text)}&d=e`],
  ['URL in lower case', text => encodeURIComponent(text).replaceAll(/%../g, code => code.toLowerCase())],
  ['form', text => new URLSearchParams({ a: 'b', value: text }).toString()],
  ['URL in a URL', text => `https://a/?to=${encodeURIComponent(`https://b/?c=${encodeURIComponent(text)}`)}`],
  ['hex', text => Buffer.from(`a${text}b`).toString('hex')],
  ['hex in upper case', text => Buffer.from(text).toString('hex').toUpperCase()],
  ['base64', text => Buffer.from(text).toString('base64')],
  ['base64', text => Buffer.from(`u${text}`).toString('base64')],
  ['base64', text => Buffer.from(`us${text}r`).toString('base64')],
  ['base64url', text => Buffer.from(`user:${text}`).toString('base64url')],
  ['raw', text => Buffer.concat([Buffer.from([0, 255, 13]), Buffer.from(text), Buffer.from([128, 0])])],
];

describe('the search', () => {
  test.each(encoders)('finds a value as %s (%#)', (form, encode) => {
    const forms = formsIn(encode(VALUE));
    // Of what needs no escaping a part looks the same in several forms.
    expect(forms.length).toBeGreaterThan(0);
    if (form !== 'raw') expect(forms.some(each => each.startsWith(form.split(' ')[0] ?? ''))).toBe(true);
  });

  test('finds any value, anywhere, in every form', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 14, maxLength: 60 });
    const around = fc.string({ maxLength: 10 });
    fc.assert(
      fc.property(value, around, around, fc.nat(encoders.length - 1), (text, before, after, which) => {
        const [, encode = String] = encoders[which] ?? [];
        const find = createSearch([{ name: 'any', kind: 'any', value: text }]);
        const place = Buffer.concat([before, encode(text), after].map(part => Buffer.from(part)));
        expect(find(place).length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  test.each(encoders)(
    'finds %s of what is left of a value that was cut on both sides (%#)',
    (_form, encode) => {
      const text = 'abcdefghijklmnopqrstuvwxyz0123456789';
      const find = createSearch([{ name: 'a', kind: 'a', value: text }]);
      for (let from = 0; from + FRAGMENT <= text.length; from += 1)
        expect(find(encode(`${text.slice(from, from + FRAGMENT)}`)).length, `from ${from}`).toBeGreaterThan(
          0,
        );
    },
  );

  test('takes fewer characters for an accident', () => {
    for (const [, encode] of encoders) expect(formsIn(encode(VALUE.slice(-FRAGMENT + 2)))).toEqual([]);
    expect(search(Buffer.from('nothing of the kind '.repeat(5000)))).toEqual([]);
    expect(search('')).toEqual([]);
  });

  test('finds a short value only whole', () => {
    const find = createSearch([{ name: 'phone', kind: 'phone', value: '13912345678' }]);
    expect(find('call 13912345678 now')).toMatchObject([{ form: 'raw', at: 5 }]);
    expect(find('1391234567')).toEqual([]);
    expect(find(Buffer.from('13912345678').toString('base64'))).toMatchObject([{ form: 'base64' }]);
  });

  test('tells which of many it was, once, and where', () => {
    const others = Array.from({ length: 500 }, (_, at) => ({
      ...{
        name: `other ${at}`,
        kind: 'other',
        value: `${Math.imul(at + 1, 0x9e3779b1) >>> 0}-${at}-of-many`,
      },
    }));
    const find = createSearch([...others, canary]);
    const hits = find(`x ${VALUE} ${VALUE}`);
    expect(new Set(hits.map(hit => hit.canary))).toEqual(new Set([canary]));
    expect(hits[0]).toMatchObject({ form: 'raw', at: 2, context: expect.stringContaining('x k3y') });
    expect(hits.filter(({ form }) => form === 'raw')).toHaveLength(1);
  });

  test('knows two that have a part in common apart', () => {
    const url = { name: 'url', kind: 'url', value: 'postgres://user:the-long-password@host' };
    const password = { name: 'password', kind: 'password', value: 'the-long-password' };
    const find = createSearch([url, password]);
    const names = (text: string): Set<string> => new Set(find(text).map(hit => hit.canary.name));
    expect(names('the-long-password')).toEqual(new Set(['url', 'password']));
    expect(names('postgres://user:')).toEqual(new Set(['url']));
  });

  test('refuses a canary that proves nothing', () => {
    expect(() => createSearch([{ name: 'short', kind: 'a', value: 'abc' }])).toThrow(TypeError);
    expect(() => formsOf('1234567')).toThrow('too short');
  });
});

describe('the evidence', () => {
  test('of another process has no place for kinds that are never at home there', () => {
    const planted = createPlanted('evidence');
    const token = planted.make('access-token', 'token');
    const name = planted.make('id', 'name');
    const evidence = createEvidence();
    const other = evidenceOf('other', ['id'], evidence);
    evidence.add('answer', token, ['access-token']);
    expect(evidence.search(planted).leaks).toEqual([]);
    other.add('answer', name, ['access-token', 'id']);
    expect(evidence.search(planted).leaks).toEqual([]);
    other.add('answer', token, ['access-token', 'id']);
    expect(evidence.search(planted).leaks).toEqual([expect.stringMatching(/^other answer: access-token/)]);
    expect(other.size('answer')).toBe(name.length + token.length);
  });
});
