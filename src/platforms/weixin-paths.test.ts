import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { weixinPathBudgets, weixinPathCredential } from './weixin-paths.ts';

interface Entry {
  readonly path: string;
  readonly auth: 'access_token' | 'none' | 'code' | 'component';
  readonly category: string;
}

/** The catalogue of published paths, made from the platform's documentation independently of this code. */
const catalog: readonly Entry[] = JSON.parse(
  readFileSync(new URL('../simulator/catalog.json', import.meta.url), 'utf8'),
);

const WANTED = { access_token: 'app', none: 'none', code: 'none', component: 'component' } as const;

test('every path of the catalogue gets the credential its page asks for', () => {
  const published = catalog.filter(entry => !entry.path.startsWith('/_/'));
  expect(catalog).toHaveLength(333);
  expect(published.length).toBeGreaterThan(320);
  const wrong = published
    .map(({ path, auth }) => ({ path, wants: WANTED[auth], gets: weixinPathCredential(path) }))
    .filter(({ wants, gets }) => wants !== gets);
  expect(wrong).toEqual([]);
});

test.each([
  ['/wxa/msg_sec_check', 'app'],
  ['/wxa/an_api_of_tomorrow', 'app'],
  ['/cgi-bin/token', 'none'],
  ['/sns/an_api_of_tomorrow', 'none'],
  ['/cgi-bin/component/an_api_of_tomorrow', 'component'],
  ['/cgi-bin/component/api_component_token', 'none'],
  ['/sns/component/jscode2session', 'component'],
  ['/', 'app'],
])('%s wants %s', (path, wants) => {
  expect(weixinPathCredential(path)).toBe(wants);
});

test('clear_quota is kept to ten a month, two of them for an operator', () => {
  expect(weixinPathBudgets['/cgi-bin/clear_quota']).toMatchObject({ limit: 10, reserve: 2, window: 'month' });
});
