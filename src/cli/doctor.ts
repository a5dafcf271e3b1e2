import { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import type { CliContext } from './context.ts';
import type { World } from './doctor/check.ts';
import { examine } from './doctor/examine.ts';
import { systemProcesses } from './doctor/processes.ts';
import { countFindings, exitStatus, findingLines, summary } from './doctor/render.ts';
import { systemWire } from './doctor/wire.ts';

/** A person waits; the platform usually answers in a tenth of a second. */
const TIMEOUT_MS = 8000;

interface DoctorFlags {
  readonly config: string;
  readonly app?: string;
  readonly url?: string;
  readonly json?: boolean;
  readonly offline?: boolean;
  readonly mint?: boolean;
  readonly strict?: boolean;
}

/** `open-bridge doctor`: what is wrong, and what to do about it. */
export function doctorCommand(context: CliContext): Command {
  return new Command('doctor')
    .description('check everything one by one: what is wrong, and what to do about it')
    .argument('[command...]', 'a program to run and watch: does it go through the gateway? Write it after --')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--app <name>', 'look at this app alone, by name or appid')
    .option('--offline', 'ask the platform nothing')
    .option(
      '--mint',
      'ask for tokens also where that costs something: a classic token, a message to an administrator',
    )
    .option('--url <url>', 'control API of the running bridge, when it is not where the configuration says')
    .option('--strict', 'exit with status 2 when something deserves a look')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit status: 0 nothing is broken, 1 something is, 2 something deserves a look (with --strict).
Without --mint no token is retired. Output of COMMAND goes to standard error.
Sends OPEN_BRIDGE_ADMIN_KEY or OPEN_BRIDGE_CALLER_KEY from the environment to the bridge when set.`,
    )
    .action(async (command: string[], flags: DoctorFlags) => {
      const { config, app, url, json, offline = false, mint = false, strict = false } = flags;
      const findings = await examine(
        { config, app, url, offline, mint, command },
        worldOf(context),
        json ? undefined : finding => context.out(findingLines(finding).join('\n')),
      );
      const { version } = context;
      await context.out(
        json
          ? JSON.stringify({ version, config, counts: countFindings(findings), findings })
          : `\n${summary(findings)}`,
      );
      const status = exitStatus(findings, strict);
      if (status !== 0) context.exit(status);
    });
}

function worldOf({ env, version, instance, uid }: CliContext): World {
  return {
    clock: systemClock,
    random: Math.random,
    ...{ env, version, instance, uid },
    wire: systemWire,
    processes: systemProcesses,
    timeoutMs: TIMEOUT_MS,
  };
}
