import { Command } from 'commander';
import { type CliContext, print } from './context.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

/** `open-bridge callers`: who may call a running bridge, and taking their virtual tokens and keys back. */
export function callersCommand(context: CliContext): Command {
  const callers = new Command('callers').description('callers of a running bridge');

  remote(
    context,
    callers.command('list').description('who may call, as which apps, with which rights'),
  ).action(async (options: RemoteOptions) => {
    const answer = await clientFor(context, options).listCallers();
    print(context, options.json, answer, () =>
      answer.callers.flatMap(caller => [
        `${caller.name}: ${caller.tokens} tokens, apps ${caller.apps?.join(', ') ?? 'all'}, paths ${caller.allow?.join(', ') ?? 'all allowed ones'}, scopes ${caller.scopes.join(', ')}${caller.expires === null ? '' : `, until ${caller.expires}`}`,
        ...caller.keys.map(
          ({ fingerprint, revokedAt }) =>
            `  key ${fingerprint}${revokedAt === null ? '' : `: revoked on ${revokedAt}`}`,
        ),
      ]),
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

  remote(
    context,
    callers
      .command('revoke-key')
      .description(
        'refuse a key of a caller from now on, or all of its keys; what the configuration says stays',
      )
      .argument('<caller>', 'configured name')
      .option(
        '--key-id <fingerprint>',
        'one key alone: first 16 hex digits of its SHA-256, as list shows it',
      ),
  ).action(async (caller: string, options: RemoteOptions & { readonly keyId?: string }) => {
    const answer = await clientFor(context, options).revokeKey({ caller, fingerprint: options.keyId });
    print(context, options.json, answer, () => [
      ...answer.revoked.map(fingerprint => `key ${fingerprint} of ${answer.caller} is refused from now on`),
      answer.left.length === 0
        ? `${answer.caller} has no key left: add a new one under "callers" in the configuration; no restart is needed`
        : `still good: ${answer.left.join(', ')}`,
    ]);
  });
  return callers;
}
