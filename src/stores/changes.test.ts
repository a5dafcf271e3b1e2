import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterWrites, changeMessages, createListeners, readChange } from './changes.ts';
import { createChangeWatch } from './changes-watch.ts';
import type { ChangeFeed, CredentialTable } from './store.ts';

const sender = fc.stringMatching(/^[a-z0-9:/-]{1,40}$/);

test('what is sent is read by others, and by its sender not', () => {
  fc.assert(
    fc.property(sender, sender, fc.array(fc.string({ minLength: 1 }), { maxLength: 90 }), (from, to, ids) => {
      const rows = ids.filter(id => id !== '*');
      const messages = changeMessages(from, rows);
      for (const message of messages) expect(readChange(from, message)).toBeUndefined();
      if (from === to) return;
      expect(messages.map(message => readChange(to, message)?.id)).toEqual([...new Set(rows)]);
    }),
  );
});

test('a change of very many rows says that anything may have changed', () => {
  const ids = Array.from({ length: 101 }, (_, at) => `uni-id:${at}`);
  const [message = '', ...others] = changeMessages('a', ids);
  expect(others).toEqual([]);
  expect(readChange('b', message)).toEqual({ id: undefined });
});

test.each(['', ' ', 'a', ' uni-id:x'])('what is no message is none: %j', text => {
  expect(readChange('b', text)).toBeUndefined();
});

test('those who watch hear of their rows, of all when anything may have changed, and of nothing afterwards', () => {
  const { subscribe, tell } = createListeners();
  const feed: ChangeFeed = { subscribe, publish() {}, boundMs: 1000, close: async () => {} };
  const { watch } = createChangeWatch(feed);
  const heard: string[] = [];
  const end = watch(['a', 'b'], () => heard.push('first'));
  watch(['b'], () => heard.push('second'));
  tell('a');
  tell('c');
  expect(heard).toEqual(['first']);
  tell('b');
  expect(heard).toEqual(['first', 'first', 'second']);
  heard.length = 0;
  tell(undefined);
  expect(new Set(heard)).toEqual(new Set(['first', 'second']));
  end();
  heard.length = 0;
  tell('a');
  tell('b');
  tell(undefined);
  expect(heard).toEqual(['second', 'second']);
});

test('after a write comes what is to follow, also when the outcome is unknown, and not when nothing was written', async () => {
  const followed: (readonly string[])[] = [];
  let outcome: () => Promise<boolean> = async () => true;
  const table = afterWrites({ commit: () => outcome() } as unknown as CredentialTable, async ids => {
    followed.push(ids);
  });
  const row = { id: 'a' } as Parameters<CredentialTable['commit']>[0];
  expect(await table.commit(row, 0)).toBe(true);
  outcome = async () => false;
  expect(await table.commit(row, 0)).toBe(false);
  expect(followed).toEqual([['a']]);
  outcome = () => Promise.reject(new Error('the connection broke'));
  await expect(table.commit(row, 0)).rejects.toThrow('broke');
  expect(followed).toEqual([['a'], ['a']]);
});
