import { expect, test } from 'vitest';
import { silentLog } from '../base/log.ts';
import { memoryBackend } from './backend.fixture.ts';
import { createFunctions } from './functions.ts';
import { createShared } from './shared.ts';
import type { BridgeOptions } from './target.ts';

const KEY = { dcloudAppid: '__UNI__A', platform: 'weixin-mp' };

function shared(fails = 0) {
  const opened: (BridgeOptions | undefined)[] = [];
  const backends: ReturnType<typeof memoryBackend>[] = [];
  const functions = createShared(async options => {
    opened.push(options);
    if (opened.length <= fails) throw new Error('cannot be opened');
    const backend = memoryBackend();
    backends.push(backend);
    return createFunctions(backend, silentLog);
  });
  return { functions, opened, backends };
}

test('the bridge is opened once, when something is first asked', async () => {
  const { functions, opened } = shared();
  expect(opened).toEqual([]);
  await Promise.all([functions.getAccessToken(KEY), functions.getTicket(KEY), functions.updateTicket(KEY)]);
  expect(opened).toEqual([undefined]);
});

test('it is opened as configured, and cannot be configured afterwards', async () => {
  const { functions, opened } = shared();
  functions.configure({ config: 'a.json' });
  functions.configure({ url: 'http://b' });
  await functions.setAccessToken(KEY, { access_token: 't' });
  expect(opened).toEqual([{ url: 'http://b' }]);
  expect(() => functions.configure({ config: 'a.json' })).toThrow('before the first function');
});

test('an opening that failed is tried again', async () => {
  const { functions, opened } = shared(1);
  await expect(functions.getAccessToken(KEY)).rejects.toThrow('cannot be opened');
  expect(await functions.getAccessToken(KEY)).toBeNull();
  expect(opened).toHaveLength(2);
});

test('closed, it is opened again by the next call', async () => {
  const { functions, opened, backends } = shared();
  await functions.close();
  expect(opened).toEqual([]);
  await functions.getAccessToken(KEY);
  await functions.close();
  expect(backends[0]?.closed).toBe(1);
  functions.configure({ url: 'http://c' });
  await functions.getAccessToken(KEY);
  expect(opened).toEqual([undefined, { url: 'http://c' }]);
});
