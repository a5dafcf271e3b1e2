import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { startSimulator } from '../simulator/index.ts';
import { newSealKey } from '../stores/sealing.ts';
import type { CliContext } from './context.ts';
import { DEMO_DCLOUD_APPID, demoConfig, SIMULATED_ACCOUNTS } from './demo.ts';
import { closeOnSignal, httpUrl, runBridge } from './run-bridge.ts';
import { port } from './simulator.ts';

interface DevOptions {
  readonly data: string;
  readonly simulatorPort: number;
  readonly controlPort: number;
  readonly gatewayPort: number;
  readonly gatewayTlsPort: number;
}

/** `open-bridge dev`: simulator and bridge with two demo apps, for the first minute and for working offline. */
export function devCommand(context: CliContext): Command {
  return new Command('dev')
    .description('run the simulator and a bridge with two demo apps on an embedded database')
    .option('--data <folder>', 'where configuration, key and database are kept', 'data/dev')
    .option('--simulator-port <number>', 'port of the simulator', port, 7290)
    .option('--control-port <number>', 'port of the control API, for a new configuration', port, 7200)
    .option('--gateway-port <number>', 'port of the gateway, for a new configuration', port, 7280)
    .option('--gateway-tls-port <number>', 'port of the gateway for HTTPS, for the same', port, 7243)
    .action(async (options: DevOptions) => {
      // A seed of its own each time: a restarted platform does not hand out the tokens of its former life.
      const simulator = await startSimulator({
        port: options.simulatorPort,
        accounts: [...SIMULATED_ACCOUNTS],
        seed: randomUUID(),
      });
      try {
        const config = prepare(options, simulator.origin);
        const running = await runBridge(context, config);
        closeOnSignal(context, async () => {
          await running.close();
          await simulator.close();
        });
        const { gateway, gatewayTls, certificateFile } = running.bridge;
        context.out(
          welcome({
            simulator: simulator.origin,
            control: httpUrl(running.bridge.control),
            functions: httpUrl(running.bridge.control) + running.settings.uniOpenBridge.prefix,
            gateway: gateway === undefined ? undefined : { url: httpUrl(gateway), ...gateway },
            https: gatewayTls && httpUrl(gatewayTls, 'https'),
            certificateFile,
            config,
            adminKey: running.bridge.freshAdminKey,
          }),
        );
      } catch (error) {
        await simulator.close();
        throw error;
      }
    });
}

/** Writes configuration and seal key where they are missing; what is there is left as it is. */
function prepare(options: DevOptions, simulatorOrigin: string): string {
  const { data, controlPort: control, gatewayPort: gateway, gatewayTlsPort: gatewayTls } = options;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const key = join(data, 'seal.key');
  if (!existsSync(key)) writeFileSync(key, `${newSealKey()}\n`, { mode: 0o600, flag: 'wx' });
  const config = join(data, 'open-bridge.json');
  if (!existsSync(config)) {
    writeFileSync(config, demoConfig(simulatorOrigin, { control, gateway, gatewayTls }), {
      mode: 0o600,
      flag: 'wx',
    });
  }
  return config;
}

interface Welcome {
  readonly simulator: string;
  readonly control: string;
  /** Where the functions of uni-open-bridge are. */
  readonly functions: string;
  readonly gateway: { readonly url: string; readonly host: string; readonly port: number } | undefined;
  readonly https: string | undefined;
  readonly certificateFile: string | undefined;
  readonly config: string;
  readonly adminKey: string | undefined;
}

function welcome(about: Welcome): string {
  const { simulator, control, functions, gateway, https, certificateFile, config, adminKey } = about;
  const lines = [
    'open-bridge is running',
    '',
    `  gateway    ${gateway?.url ?? 'off'}   call it as http://api.weixin.qq.com, without a token`,
    ...(https === undefined ? [] : [`  https      ${https}   for callers that trust ${certificateFile}`]),
    `  control    ${control}   /v1/openapi.json lists its API`,
    `  functions  ${functions}   the interface of uni-open-bridge`,
    `  simulator  ${simulator}   stands in for api.weixin.qq.com, api.q.qq.com and graph.qq.com`,
    `  config     ${config}   edit it while this runs`,
    ...(adminKey === undefined ? [] : [`  admin key  ${adminKey}   shown only this once`]),
  ];
  if (gateway === undefined) return lines.join('\n');
  const curl = `curl --connect-to api.weixin.qq.com:80:${gateway.host}:${gateway.port}`;
  return [
    ...lines,
    '',
    'Paste these into another terminal.',
    '',
    '1. Check a text, with no token anywhere:',
    `   ${curl} -d '{"openid":"o-demo","version":2,"scene":2,"content":"hello"}' http://api.weixin.qq.com/wxa/msg_sec_check`,
    '',
    '2. Save a mini program code as a picture:',
    `   ${curl} -d '{"path":"pages/index/index"}' -o qrcode.png http://api.weixin.qq.com/wxa/getwxacode`,
    '',
    '3. Be refused: this path is not on the allow-list:',
    `   ${curl} -i -d '{"code":"demo"}' http://api.weixin.qq.com/wxa/business/getuserphonenumber`,
    '',
    '4. Get a token as uni-open-bridge gives it, for a program that cannot go through the gateway:',
    `   curl -d '{"dcloudAppid":"${DEMO_DCLOUD_APPID}","platform":"weixin-mp"}' ${functions}/getAccessToken`,
    '',
    'Stop with Ctrl-C.',
  ].join('\n');
}
