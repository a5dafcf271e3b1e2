import { Command } from 'commander';
import { faultText } from '../config/faults.ts';
import { checkConfig } from '../config/load.ts';
import { importCommand } from './config/import.ts';
import { type CliContext, print } from './context.ts';

/** `open-bridge config`: the configuration file. */
export function configCommand(context: CliContext): Command {
  const config = new Command('config').description('the configuration file');
  config
    .command('check')
    .description('report every fault of a configuration file at once; exit status 1 if there is any')
    .argument('[file]', 'configuration file', 'open-bridge.json')
    .option('--json', 'print JSON')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const { faults, warnings } = checkConfig({ path: file, env: context.env });
      await print(context, json, { file, faults, warnings }, () => [
        ...faults.map(fault => `fault    ${faultText(file, fault)}`),
        ...warnings.map(warning => `warning  ${faultText(file, warning)}`),
        faults.length === 0
          ? `${file} can be used`
          : `${file} has ${faults.length} fault(s) and cannot be used`,
      ]);
      if (faults.length > 0) context.exit(1);
    });
  config.addCommand(importCommand(context));
  return config;
}
