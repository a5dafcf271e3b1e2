import { expect, test } from 'vitest';
import { Secret } from '../base/secret.ts';
import { appOf } from './app.fixture.ts';
import { secretOf } from './app-secret.ts';

test('an app with a secret gives it, managed or not', () => {
  const secret = new Secret('s');
  expect(secretOf(appOf({ secret }))).toBe(secret);
  expect(secretOf(appOf({ secret, managed: false }))).toBe(secret);
});

test('an app whose credentials are pushed in has none, and says what to do', () => {
  expect(() => secretOf(appOf({ secret: undefined, managed: false }))).toThrow(
    expect.objectContaining({
      code: 'CREDENTIAL_UNAVAILABLE',
      message: expect.stringContaining('shop (wx01)'),
      hint: expect.stringMatching(/"managed" is false.*push/),
    }),
  );
});

test('a managed app without one is a fault of the configuration', () => {
  expect(() => secretOf(appOf({ secret: undefined }))).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      hint: expect.stringContaining('apps[shop].secret'),
    }),
  );
});
