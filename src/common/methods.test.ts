import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { METHOD_NAMES, METHODS, methodFor, methodNamed } from './methods.ts';

test('there are get, set and remove for five kinds, and update for those that are asked for anew', () => {
  expect(METHOD_NAMES).toHaveLength(18);
  const names = { get: 5, set: 5, remove: 5, update: 3 };
  for (const [verb, count] of Object.entries(names)) {
    expect(METHOD_NAMES.filter(name => METHODS[name].verb === verb && name.startsWith(verb))).toHaveLength(
      count,
    );
  }
});

test('every name says the kind it is about', () => {
  for (const name of METHOD_NAMES) {
    const { verb, kind } = METHODS[name];
    const words = kind.split('-').map(word => word.slice(0, 1).toUpperCase() + word.slice(1));
    expect(name).toBe(verb + words.join(''));
    expect(methodNamed(name)).toBe(name);
    expect(methodFor({ verb, kind })).toBe(name);
  }
});

test.each([
  ['getaccesstoken', 'did you mean getAccessToken?'],
  ['getAcessToken', 'did you mean getAccessToken?'],
  ['setTickets', 'did you mean setTicket?'],
  ['toString', 'the methods are getAccessToken, setAccessToken'],
  ['constructor', 'the methods are'],
  ['', 'the methods are'],
])('%j is none', (name, hint) => {
  try {
    methodNamed(name);
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError);
    expect(error).toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining(hint) });
    return;
  }
  throw new Error('it was not refused');
});

test('a session key cannot be asked for anew', () => {
  expect(() => methodFor({ verb: 'update', kind: 'session-key' })).toThrow(TypeError);
});
