import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { createLogger } from './logger.ts';

const CANARY = 'canary-0123456789abcdef';

function written(fields: object): { text: string; line: Record<string, unknown> } {
  let text = '';
  createLogger('debug', {
    write(line: string) {
      text += line;
    },
  }).error(fields, 'it failed');
  return { text, line: JSON.parse(text) };
}

test('what a library hung on an error, or on its causes, is not logged', () => {
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', config: { url: CANARY } });
  const err = Object.assign(new Error('no answer', { cause }), { request: { secret: CANARY }, sql: CANARY });
  const { text, line } = written({ err });
  expect(line['err']).toEqual({
    ...{ type: 'Error', message: 'no answer', stack: err.stack },
    cause: { type: 'Error', code: 'ECONNREFUSED', message: 'refused', stack: cause.stack },
  });
  expect(text).not.toContain(CANARY);
});

test('an error of ours is logged with its code and hint, a secret by its fingerprint', () => {
  const err = new BridgeError('STORE_UNAVAILABLE', 'the store is away', { hint: 'look at it' });
  const { text, line } = written({ err, token: new Secret(CANARY) });
  expect(line['err']).toEqual({
    ...{ type: 'BridgeError', code: 'STORE_UNAVAILABLE', message: 'the store is away', hint: 'look at it' },
  });
  expect(line['token']).toMatch(/^\[secret [0-9a-f]{16}\]$/);
  expect(text).not.toContain(CANARY);
});

test('a chain of causes ends', () => {
  let err = new Error('the first');
  for (let depth = 0; depth < 9; depth += 1) err = new Error(`after ${depth}`, { cause: err });
  expect(written({ err }).text.match(/"type":"Error"/g)).toHaveLength(5);
});
