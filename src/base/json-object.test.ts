import { expect, test } from 'vitest';
import { jsonObjectIn } from './json-object.ts';

test('an object is read, with whatever it holds', () => {
  expect(jsonObjectIn(' {"a":[1,{"b":null}]}\n')).toEqual({ a: [1, { b: null }] });
  expect(jsonObjectIn('{}')).toEqual({});
});

test.each(['', '{', 'x', 'null', 'true', '7', '"{}"', '[]', '[{}]', '{}{}'])('%j is none', text => {
  expect(jsonObjectIn(text)).toBeUndefined();
});
