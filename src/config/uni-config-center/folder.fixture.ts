import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { App } from '../../platforms/platform.ts';
import { type ConfigCheck, checkConfig } from '../load.ts';

export const SEAL_KEY = Buffer.alloc(32, 7).toString('base64');

/** Text, or what is written as JSON. */
export type Content = string | object;

/** A uni-config-center folder by its files, and our own file beside it. */
export interface Folder {
  readonly path: string;
  readonly config: string;
  write(name: string, content: Content): void;
  check(): ConfigCheck;
}

/** Writes a folder `center` with these files, and our own file that names it, into a temporary folder. */
export function folderWith(files: Readonly<Record<string, Content>>, own: object = {}): Folder {
  const root = temporaryFolder();
  const path = join(root, 'center');
  const config = join(root, 'open-bridge.json');
  const write = (name: string, content: Content): void => {
    const file = join(path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  writeFileSync(
    config,
    JSON.stringify({ uniConfigCenter: 'center', storage: { sealKey: SEAL_KEY }, ...own }),
  );
  return { path, config, write, check: () => checkConfig({ path: config, env: {} }) };
}

/** `uni-id/config.json` as projects have it, with the comments of the documentation left in. */
export const UNI_ID = `{
  "dcloudAppid": "__UNI__SHOP01", // 在项目的 manifest.json 中
  "passwordSecret": "password-secret-of-uni-id",
  "tokenSecret": "token-secret-of-uni-id",
  "tokenExpiresIn": 7200,
  "mp-weixin": { // 微信小程序
    "tokenExpiresIn": 259200,
    "oauth": {
      "weixin": {
        "appid": "wx0000000000000001",
        "appsecret": "secret-of-the-mini-program", /* from the platform */
      }
    }
  },
  "web": {
    "oauth": {
      "weixin-h5": { "appid": "wx0000000000000002", "appsecret": "secret-of-the-official-account" },
      "weixin-web": { "appid": "wx0000000000000003", "appsecret": "secret-of-the-website" }
    }
  },
  "app": {
    "oauth": {
      "weixin": { "appid": "wx0000000000000004", "appsecret": "secret-of-the-mobile-app" },
      "qq": { "appid": "101000005", "appsecret": "secret-of-the-qq-app" },
      "apple": { "bundleId": "com.example.shop" }
    }
  },
  "mp-qq": { "oauth": { "qq": { "appid": "1110000006", "appsecret": "secret-of-the-qq-mini-program" } } },
  "mp-alipay": { "oauth": { "alipay": { "appid": "2021000000000007", "privateKey": "x" } } },
}
`;

/** `uni-open-bridge/config.json` as the documentation prints it. */
export const UNI_OPEN_BRIDGE = `{
  "schedule": {
    "__UNI__SHOP01": { // dcloudAppid, 需要和 uni-id 中的配置一致
      "enable": true,
      "weixin-mp": { "enable": true, "tasks": ["accessToken"] },
      "weixin-h5": { "enable": false, "tasks": ["ticket"] }
    }
  },
  "ipWhiteList": ["0.0.0.0"]
}
`;

/** One entry of an array of uni-id configurations, with a mini-program. */
export function entryOf(dcloudAppid: string | undefined, appid: string, change: object = {}): object {
  return {
    ...(dcloudAppid !== undefined && { dcloudAppid }),
    'mp-weixin': { oauth: { weixin: { appid, appsecret: `secret-of-${appid}` } } },
    ...change,
  };
}

/** Checks our own file over a folder with these files. */
export function check(files: Readonly<Record<string, Content>>, own: object = {}): ConfigCheck {
  return folderWith(files, own).check();
}

/** The apps of a configuration that can be used. */
export function appsOf({ settings, faults }: ConfigCheck): readonly App[] {
  if (settings === undefined) throw new TypeError(JSON.stringify(faults, null, 1));
  return settings.apps;
}

/** What identifies an app, and how it is renewed. */
export const summary = ({ name, platform, appid, dcloudAppid, dcloudAliases, renews }: App) => ({
  ...{ name, platform, appid },
  dcloudAppids: [...(dcloudAppid === undefined ? [] : [dcloudAppid]), ...(dcloudAliases ?? [])],
  renews,
});

export const texts = (list: ConfigCheck['faults']): readonly string[] =>
  list.map(({ path, message }) => `${path}: ${message}`);
