import { describe, expect, it } from 'vitest';
import { isFromWebPage } from './browser.ts';
import { createCallerDirectory, hashCallerKey } from './callers.ts';

describe('isFromWebPage', () => {
  it.each([
    [undefined, undefined, false],
    ['none', undefined, false],
    ['same-origin', 'http://127.0.0.1:7200', false],
    ['same-site', 'http://127.0.0.1:3000', true],
    ['cross-site', undefined, true],
    ['cross-site', 'https://evil.example', true],
    [undefined, 'https://evil.example', true],
    [undefined, 'null', true],
  ])('Sec-Fetch-Site %s with Origin %s: %s', (secFetchSite, origin, expected) => {
    expect(isFromWebPage({ secFetchSite, origin })).toBe(expected);
  });
});

describe('a web page', () => {
  const local = { remoteAddress: '127.0.0.1', fromWebPage: true };

  it('is not the trusted local caller', () => {
    expect(() => createCallerDirectory([], () => 0).authenticate(local)).toThrow(/web pages are refused/);
    expect(createCallerDirectory([], () => 0).authenticate({ remoteAddress: '127.0.0.1' }).name).toBe(
      'local',
    );
  });

  it('may call with a key like everybody else', () => {
    const key = 'a-key-of-some-length';
    const callers = createCallerDirectory(
      [{ name: 'page', keys: [hashCallerKey(key)], addresses: [], tokens: 'real' }],
      () => 0,
    );
    expect(callers.authenticate({ ...local, key }).name).toBe('page');
  });
});
