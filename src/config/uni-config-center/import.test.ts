// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkConfig } from '../load.ts';
import type { Settings } from '../settings.ts';
import {
  type Content,
  entryOf,
  type Folder,
  folderWith,
  SEAL_KEY,
  texts,
  UNI_ID,
  UNI_OPEN_BRIDGE,
} from './folder.fixture.ts';
import { type CenterImport, importUniConfigCenter } from './import.ts';

const imported = ({ path }: Folder): CenterImport =>
  importUniConfigCenter(path, file => readFileSync(file, 'utf8'));

/** Settings of a file, secrets in clear, as far as a folder can say anything of them. */
function concerns(settings: Settings | undefined): unknown {
  const { apps, ipWhiteList, s2s } = settings ?? {};
  return {
    apps: apps?.map(({ secret, ...app }) => ({ ...app, secret: secret?.reveal() })),
    ipWhiteList,
    s2s: s2s && {
      ...s2s,
      ...(s2s.type === 'sign' && { signKey: s2s.signKey.reveal() }),
      ...(s2s.type === 'connectCode' && { connectCode: s2s.connectCode.reveal() }),
    },
  };
}

/** The settings of the imported text. */
function settingsOf(text: string | undefined): Settings | undefined {
  const { settings, faults } = checkConfig({
    path: '/etc/open-bridge.json',
    env: {},
    readFile(path) {
      if (path === '/etc/open-bridge.json') return text ?? '';
      if (path === '/etc/data/seal.key') return SEAL_KEY;
      throw new Error(`reads ${path}`);
    },
  });
  expect(faults).toEqual([]);
  return settings;
}

test('a project’s folder becomes a file that means the same', () => {
  const folder = folderWith({
    'uni-id/config.json': UNI_ID,
    'uni-open-bridge/config.json': UNI_OPEN_BRIDGE,
    'uni-cloud-s2s/config.json': { type: 'sign', signKey: 'a-sign-key-0123456789', hashMethod: 'sha256' },
  });
  const { text, taken, warnings, notes, faults } = imported(folder);
  expect(faults).toEqual([]);
  expect(concerns(settingsOf(text))).toEqual(concerns(folder.check().settings));
  expect(text).toContain('// uni-id/config.json: ["mp-weixin"].oauth.weixin\n');
  expect(text).toContain('"quirks": ["sha256-is-md5"]');
  expect(text).toContain('"sealKey": "${file:./data/seal.key}"');
  expect(taken).toEqual([
    'app weixin-mp (weixin-mp, wx0000000000000001)',
    'app weixin-h5 (weixin-h5, wx0000000000000002)',
    'app weixin-web (weixin-web, wx0000000000000003)',
    'app weixin-app (weixin-app, wx0000000000000004)',
    'app qq-mp (qq-mp, 1110000006)',
    'app qq-app (qq-app, 101000005)',
    'schedule of __UNI__SHOP01',
    'ipWhiteList (0.0.0.0)',
    's2s (sign, sha256)',
  ]);
  expect(texts(notes)).toEqual([
    '["mp-alipay"].oauth.alipay: not a platform of open-bridge',
    'app.oauth.apple: not a platform of open-bridge',
  ]);
  expect(texts(warnings)).toEqual([
    expect.stringMatching(/^hashMethod: callers that use the uni-cloud-s2s module/),
    expect.stringMatching(/^ipWhiteList\[0\]: is no wildcard/),
  ]);
  for (const told of [taken, notes, warnings]) expect(JSON.stringify(told)).not.toMatch(/secret|a-sign-key/);
});

test('what is not in a folder is not in the file', () => {
  const { text } = imported(folderWith({ 'uni-id/config.json': entryOf(undefined, 'wx1') }));
  expect(text).not.toMatch(/dcloudAppid|schedule|ipWhiteList|s2s/);
  expect(settingsOf(text)?.apps).toMatchObject([
    { appid: 'wx1', dcloudAppid: undefined, renews: ['access-token'] },
  ]);
});

test('a secret that looks like a reference is taken for what it is', () => {
  const appsecret = '${env:HOME}$${x}"\\';
  const folder = folderWith({
    'uni-id/config.json': { 'mp-weixin': { oauth: { weixin: { appid: 'wx1', appsecret } } } },
  });
  const { text } = imported(folder);
  expect(settingsOf(text)?.apps[0]?.secret?.reveal()).toBe(appsecret);
  expect(folder.check().settings?.apps[0]?.secret?.reveal()).toBe(appsecret);
});

test('every folder becomes a file that means the same', () => {
  const dcloudAppid = fc.constantFrom('__UNI__A', '__UNI__B', '__UNI__C', 'd-e');
  const leaf = (provider: string) =>
    fc
      .constantFrom(1, 2)
      .map(number => ({ appid: `${provider}-${number}`, appsecret: `secret-${number}"\${` }));
  const entry = fc.record(
    {
      dcloudAppid,
      isDefaultConfig: fc.boolean(),
      'mp-weixin': fc.record({ oauth: fc.record({ weixin: leaf('mp') }) }),
      'h5-weixin': fc.record({ oauth: fc.record({ weixin: leaf('h5') }) }),
      'mp-qq': fc.record({ oauth: fc.record({ qq: leaf('qq') }) }),
    },
    { requiredKeys: [] },
  );
  const platform = fc.record({
    enable: fc.boolean(),
    tasks: fc.subarray(['accessToken', 'ticket', 'other']),
  });
  const schedule = fc.dictionary(
    dcloudAppid,
    fc.record(
      { enable: fc.boolean(), 'weixin-mp': platform, 'h5-weixin': platform, 'qq-mp': platform },
      { requiredKeys: ['enable'] },
    ),
  );
  const bridge = fc.record(
    { schedule, ipWhiteList: fc.subarray(['10.0.0.1', '::1', '0.0.0.0', 'x']) },
    { requiredKeys: [] },
  );
  const s2s = fc.constantFrom(
    { type: 'connectCode', connectCode: '${code}' },
    { type: 'sign', signKey: 'k"', hashMethod: 'sha256', timeDiffTolerance: 5 },
  );
  fc.assert(
    fc.property(
      fc.oneof(entry, fc.array(entry, { maxLength: 4 })),
      fc.option(bridge, { nil: undefined }),
      fc.option(s2s, { nil: undefined }),
      (uniId, uniOpenBridge, uniCloudS2s) => {
        const files: Record<string, Content> = { 'uni-id/config.json': uniId };
        if (uniOpenBridge !== undefined) files['uni-open-bridge/config.json'] = uniOpenBridge;
        if (uniCloudS2s !== undefined) files['uni-cloud-s2s/config.json'] = uniCloudS2s;
        const folder = folderWith(files);
        const { text, faults } = imported(folder);
        const { settings, faults: direct } = folder.check();
        expect(faults).toEqual(direct);
        if (faults.length === 0) expect(concerns(settingsOf(text))).toEqual(concerns(settings));
      },
    ),
    { numRuns: 150 },
  );
});

test('a folder with faults gives no file, and all of them with their places', () => {
  const folder = folderWith({
    'uni-id/config.json': entryOf('A', 'w x'),
    'uni-open-bridge/config.json': '{',
    'uni-cloud-s2s/config.json': { type: 'sign' },
  });
  const { text, faults } = imported(folder);
  expect(text).toBeUndefined();
  expect(faults.map(({ file }) => file)).toEqual([
    join(folder.path, 'uni-cloud-s2s/config.json'),
    join(folder.path, 'uni-id/config.json'),
    join(folder.path, 'uni-open-bridge/config.json'),
  ]);
});

test('a folder that is none says what one looks like', () => {
  const { text, faults } = imported(folderWith({ 'readme.md': 'x' }));
  expect(text).toBeUndefined();
  expect(faults).toMatchObject([{ message: expect.stringContaining('there is none of uni-id/config.json') }]);
});
