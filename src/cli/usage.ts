import { Command, InvalidArgumentError } from 'commander';
import { USAGE_DAYS } from '../contract/calls.ts';
import { type CliContext, print } from './context.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

/** `open-bridge usage`: who called how much. */
export function usageCommand(context: CliContext): Command {
  return remote(context, new Command('usage'))
    .description('calls by day (China time), caller and app')
    .option('--days <n>', 'how many days, the present one included', days, USAGE_DAYS)
    .option('--caller <name>', 'only this caller')
    .action(async (options: RemoteOptions & { readonly days: number; readonly caller?: string }) => {
      const answer = await clientFor(context, options).listUsage({
        days: options.days,
        caller: options.caller,
      });
      print(context, options.json, answer, () => [
        `since ${answer.since}${answer.usage.length === 0 ? ': no calls' : ''}`,
        ...answer.usage.map(
          row =>
            `${row.day}  ${row.caller ?? 'unknown caller'} as ${row.app ?? row.appid ?? 'no app'}: ${row.calls} calls, ${row.errors} refused by the platform, ${row.refused} by the gateway, ${row.replayed} sent again, ${row.requestBytes} bytes out, ${row.answerBytes} back`,
        ),
      ]);
    });
}

function days(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1)
    throw new InvalidArgumentError('must be a number of days.');
  return Number(text);
}
