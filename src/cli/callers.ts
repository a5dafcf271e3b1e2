import { Command } from 'commander';
import { type CliContext, print } from './context.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

/** `open-bridge callers`: who may call a running bridge, and taking their virtual tokens back. */
export function callersCommand(context: CliContext): Command {
  const callers = new Command('callers').description('callers of a running bridge');

  remote(
    context,
    callers.command('list').description('who may call, as which apps, with which rights'),
  ).action(async (options: RemoteOptions) => {
    const answer = await clientFor(context, options).listCallers();
    print(context, options.json, answer, () =>
      answer.callers.map(
        caller =>
          `${caller.name}: ${caller.tokens} tokens, apps ${caller.apps?.join(', ') ?? 'all'}, paths ${caller.allow?.join(', ') ?? 'all allowed ones'}, scopes ${caller.scopes.join(', ')}`,
      ),
    );
  });

  remote(
    context,
    callers
      .command('revoke')
      .description(
        'take back every virtual token a caller was given so far; its SDK asks for a new one by itself',
      )
      .argument('<caller>', 'configured name'),
  ).action(async (caller: string, options: RemoteOptions) => {
    const answer = await clientFor(context, options).revokeTokens({ caller });
    print(context, options.json, answer, () => [
      `virtual tokens of ${answer.caller} given up to ${answer.revokedUntil} no longer work`,
    ]);
  });
  return callers;
}
