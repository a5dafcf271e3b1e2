import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Content, check, entryOf, folderWith } from './folder.fixture.ts';

describe('s2s', () => {
  const s2s = (content: Content, own: object = {}) =>
    check({ 'uni-id/config.json': entryOf('A', 'wx1'), 'uni-cloud-s2s/config.json': content }, own);

  test('is taken as it is, and what means nothing to its type left out', () => {
    const found = s2s({ type: 'connectCode', connectCode: 'connect-code-0123456789', signKey: '', note: 1 });
    expect(found.settings?.s2s).toMatchObject({ type: 'connectCode' });
    expect(found.warnings).toEqual([]);
  });

  test('is faulted in its own file', () => {
    const folder = folderWith({
      'uni-id/config.json': entryOf('A', 'wx1'),
      'uni-cloud-s2s/config.json': '{\n  "type": "sign",\n  "signKey": "",\n  "hashMethod": "sha512"\n}',
    });
    expect(folder.check().faults).toEqual([
      {
        file: join(folder.path, 'uni-cloud-s2s/config.json'),
        line: 3,
        column: 14,
        path: 'signKey',
        message: 'is empty',
      },
      expect.objectContaining({ line: 4, column: 17, path: 'hashMethod' }),
    ]);
  });

  test('our own stands in its place', () => {
    const own = { s2s: { type: 'connectCode', connectCode: 'our-own-code-0123456789' } };
    const { settings } = s2s('{"type":"sign","signKey":""}', own);
    expect(settings?.s2s?.type).toBe('connectCode');
  });
});
