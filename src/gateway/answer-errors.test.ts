import { expect, test } from 'vitest';
import { everythingAbout, keptLog } from '../../test/support/canary.ts';
import { Secret } from '../base/secret.ts';
import type { Credential } from '../credentials/credentials.ts';
import { answerErrors } from './answer-errors.ts';
import { Call, type Handler } from './call.ts';

const TOKEN = 'canary+token/0123456789';
const QUERY = 'openid=canary-openid-0123456789&key=canary-key';

test.each([
  ['thrown', false],
  ['rejected', true],
])('an unforeseen error is logged without the token and the query, and not told: %s', async (_, later) => {
  const log = keptLog();
  const fail: Handler = () => {
    const url = `/wxa/x?access_token=${encodeURIComponent(TOKEN)}&${QUERY}`;
    const error = new TypeError(`cannot read ${url} with ${TOKEN}`);
    if (later) return Promise.reject(error);
    throw error;
  };
  const call = new Call(
    { method: 'GET', target: '/wxa/x', headers: [], body: undefined, remoteAddress: '127.0.0.1' },
    0,
  );
  call.query = QUERY;
  call.credential = { value: new Secret(TOKEN) } as Credential;
  const answer = await answerErrors(log)(fail)(call);
  expect(answer.status).toBe(500);
  expect(log.messages('error')).toEqual(['call failed inside the gateway']);
  expect(log.text()).toContain('cannot read /wxa/x?access_token=[token]&[query] with [token]');
  expect(log.text() + String(answer.body) + everythingAbout(answer)).not.toMatch(/canary[-+%]/);
});
