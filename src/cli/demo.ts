import type { AccountOptions } from '../simulator/index.ts';

/** Accounts of the demonstration. Their secrets open nothing but the simulator. */
export const DEMO_ACCOUNTS = [
  { appid: 'wx0000000000000001', secret: 'demo-secret-of-the-mini-program01', type: 'mp', name: 'shop' },
  { appid: 'wx0000000000000002', secret: 'demo-secret-of-the-official-acct2', type: 'oa', name: 'news' },
] as const satisfies readonly AccountOptions[];

/** One more account for each other platform: in the simulator, but not in the configuration. */
export const SIMULATED_ACCOUNTS: readonly AccountOptions[] = [
  ...DEMO_ACCOUNTS,
  { appid: 'wx0000000000000003', secret: 'demo-secret-of-the-website-app-003', type: 'web', name: 'site' },
  { appid: 'wx0000000000000004', secret: 'demo-secret-of-the-mobile-app-0004', type: 'app', name: 'mobile' },
  { appid: '1110000005', secret: 'demo-secret-qq-5', type: 'qq-mp', name: 'qq-shop' },
  { appid: '101000006', secret: 'demo-secret-of-the-qq-login-00006', type: 'qq-app', name: 'qq-login' },
];

/** The DCloud appid under which uni-open-bridge knows both apps of the demonstration. */
export const DEMO_DCLOUD_APPID = '__UNI__DEMO001';

/** The configuration that `open-bridge dev` writes at its first start, to be read and changed. */
export function demoConfig(
  simulatorOrigin: string,
  ports: { readonly control: number; readonly gateway: number; readonly gatewayTls: number },
): string {
  const [shop, news] = DEMO_ACCOUNTS;
  return `// Configuration of the demonstration. Change it while it runs: most settings take effect on saving.
{
  "apps": [
    // A mini program, and the account that calls act as when they name none.
    { "name": "shop", "platform": "weixin-mp", "appid": "${shop.appid}", "secret": "${shop.secret}", "dcloudAppid": "${DEMO_DCLOUD_APPID}", "default": true },
    // An official account: name it with ?from_appid=${news.appid}
    { "name": "news", "platform": "weixin-h5", "appid": "${news.appid}", "secret": "${news.secret}", "dcloudAppid": "${DEMO_DCLOUD_APPID}" }
  ],
  // Paths that may be called with a token of ours. Everything else is refused.
  "openapi": {
    "enabled": true,
    "allow": ["/wxa/msg_sec_check", "/wxa/getwxacode", "/wxa/getwxadevinfo", "/cgi-bin/*"]
  },
  "storage": { "database": "sqlite:./open-bridge.db", "sealKey": "\${file:./seal.key}" },
  "listen": {
    "control": "127.0.0.1:${ports.control}",
    "gateway": "127.0.0.1:${ports.gateway}",
    "gatewayTls": "127.0.0.1:${ports.gatewayTls}"
  },
  // The simulator. Leave this out to talk to the real platforms.
  "upstream": { "weixin": "${simulatorOrigin}", "qq": "${simulatorOrigin}", "qqConnect": "${simulatorOrigin}" },
  "log": { "level": "warn" }
}
`;
}
