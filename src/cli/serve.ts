import { Command } from 'commander';
import type { CliContext } from './context.ts';
import { closeOnSignal, httpUrl, runBridge } from './run-bridge.ts';
import { letYoungGenerationGrow } from './young-generation.ts';

/** `open-bridge serve`: the production process. */
export function serveCommand(context: CliContext): Command {
  return new Command('serve')
    .description('run the control API, the gateway and background renewal')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .action(async ({ config }: { config: string }) => {
      const { bridge, settings, log, close } = await runBridge(context, config);
      closeOnSignal(context, close);
      letYoungGenerationGrow();
      if (bridge.freshAdminKey !== undefined) {
        context.err(`open-bridge: admin key, shown only this once: ${bridge.freshAdminKey}`);
      }
      log.info(
        {
          control: httpUrl(bridge.control),
          gateway: bridge.gateway && httpUrl(bridge.gateway),
          gatewayTls: bridge.gatewayTls && httpUrl(bridge.gatewayTls, 'https'),
          certificateFile: bridge.certificateFile,
          apps: settings.apps.length,
          callers: settings.callers.length,
          version: context.version,
        },
        'open-bridge is ready',
      );
    });
}
