import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NEWS, SHOP, startTestBridge, type TestBridge, temporaryFolder } from '../support/bridge.ts';

let center: ReturnType<typeof temporaryFolder>;
let bridge: TestBridge | undefined;

beforeEach(() => {
  center = temporaryFolder();
});

afterEach(async () => {
  await bridge?.close();
  center[Symbol.dispose]();
});

function write(name: string, content: string): void {
  const file = join(center.path, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.draft`, content);
  renameSync(`${file}.draft`, file);
}

const uniId = (rest = ''): string => `{
  "dcloudAppid": "__UNI__SHOP01", // 在项目的 manifest.json 中
  "mp-weixin": { "oauth": { "weixin": { "appid": "${SHOP.appid}", "appsecret": "${SHOP.secret}" } } },
  ${rest}
}`;

const statusOf = async (appid: string): Promise<number> =>
  (await fetch(`${bridge?.gateway}/wxa/getwxadevinfo?from_appid=${appid}`)).status;

test('a folder as uniCloud has it is all that the bridge needs to know of the apps', async () => {
  write('uni-id/config.json', uniId());
  write(
    'uni-open-bridge/config.json',
    '{ "schedule": { "__UNI__SHOP01": { "enable": true, "weixin-mp": { "enable": true, "tasks": ["accessToken"] } } } }',
  );
  bridge = await startTestBridge({ config: { apps: [], uniConfigCenter: center.path } });
  expect(await statusOf(SHOP.appid)).toBe(200);
  expect(await statusOf(NEWS.appid)).toBe(404);

  const h5 = `"h5": { "oauth": { "weixin": { "appid": "${NEWS.appid}", "appsecret": "${NEWS.secret}" } } },`;
  write('uni-id/config.json', uniId(h5));
  bridge.reconfigure({});
  expect(await statusOf(NEWS.appid)).not.toBe(404);

  const shown = bridge.logs.join('');
  for (const { secret } of [SHOP, NEWS]) expect(shown).not.toContain(secret);
});
