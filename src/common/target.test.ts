import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { silentLog } from '../base/log.ts';
import { targetOf } from './target.ts';

const environment = (variables: Record<string, string | undefined>, ...files: string[]) => ({
  variables,
  instance: 'test',
  log: silentLog,
  isFile: (path: string) => files.includes(path),
});

test.each([
  [{ OPEN_BRIDGE_URL: 'http://b' }, [], { url: 'http://b' }],
  [{ OPEN_BRIDGE_URL: 'http://b', OPEN_BRIDGE_CALLER_KEY: 'k' }, [], { url: 'http://b', callerKey: 'k' }],
  [{ OPEN_BRIDGE_URL: 'http://b', OPEN_BRIDGE_CALLER_KEY: '' }, [], { url: 'http://b' }],
  [{ OPEN_BRIDGE_URL: 'http://b', OPEN_BRIDGE_CONFIG: 'c.json' }, ['open-bridge.json'], { url: 'http://b' }],
  [{ OPEN_BRIDGE_URL: '', OPEN_BRIDGE_CONFIG: 'c.json' }, ['open-bridge.json'], { config: 'c.json' }],
  [{ OPEN_BRIDGE_CONFIG: '' }, ['open-bridge.json'], { config: 'open-bridge.json' }],
  [{ OPEN_BRIDGE_CALLER_KEY: 'k' }, ['open-bridge.json'], { config: 'open-bridge.json' }],
])('%o with %o', (variables, files, target) => {
  expect(targetOf(environment(variables, ...files))).toEqual(target);
});

test('an environment that says nothing is told what it could say', () => {
  try {
    targetOf(environment({}));
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError);
    const { hint } = error as BridgeError;
    for (const word of [
      'OPEN_BRIDGE_URL',
      'OPEN_BRIDGE_CALLER_KEY',
      'OPEN_BRIDGE_CONFIG',
      'open-bridge.json',
      'configureBridge',
    ])
      expect(hint).toContain(word);
    return;
  }
  throw new Error('it was not refused');
});
