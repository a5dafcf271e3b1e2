import { Command } from 'commander';
import type { z } from 'zod';
import {
  type CredentialStatusBody,
  type credentialSelector,
  KIND_NAMES,
  type RotationBody,
} from '../contract/credentials.ts';
import { type CliContext, print } from './context.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

/** `open-bridge credentials`: what a running bridge holds, and replacing it. */
export function credentialsCommand(context: CliContext): Command {
  const credentials = new Command('credentials').description(
    'credentials of a running bridge (metadata only)',
  );
  remote(
    context,
    credentials.command('list').description('every credential: age, expiry, next renewal, last failure'),
  ).action(async (options: RemoteOptions) => {
    const answer = await clientFor(context, options).listCredentials();
    print(context, options.json, answer, () => answer.credentials.flatMap(describe));
  });

  remote(
    context,
    credentials
      .command('rotate')
      .description("replace a credential now, from the operator's share of the platform's budget")
      .argument('<app>', 'name or appid')
      .option('--kind <kind>', KIND_NAMES.join(', '), 'access_token'),
  ).action(async (app: string, options: RemoteOptions & { readonly kind: string }) => {
    const kind = options.kind as z.input<typeof credentialSelector>['kind'];
    const answer = await clientFor(context, options).rotateCredential({ appid: app, kind });
    print(context, options.json, answer, () => [...describe(answer), ...REMARKS[answer.outcome]]);
  });
  return credentials;
}

/** What there is to say of a rotation beside what is held now. */
const REMARKS: Readonly<Record<RotationBody['outcome'], readonly string[]>> = {
  replaced: [],
  already: ['  another process had just replaced it; nothing more was asked for'],
  kept: ['  the platform gave the same value again: it was not replaced, and is still good'],
};

function describe(status: CredentialStatusBody): string[] {
  const head = `${status.app} (${status.appid}) ${status.kind}`;
  const lines =
    status.fingerprint === null
      ? [`${head}: none yet`]
      : [
          `${head}: ${status.fingerprint}, epoch ${status.epoch}, ${status.expiresInSeconds === null ? 'never expires' : `${status.expiresInSeconds} s left`}, ${status.pushed ? 'pushed in from outside' : `renewed ${status.renewAt ?? 'on demand'}`}`,
        ];
  if (status.earlyEnds !== null) {
    const { lastDay, lastAt, likelyCause, advice } = status.earlyEnds;
    lines.push(
      `  died before its time ${lastDay} times in 24 h, last ${lastAt}: ${likelyCause}`,
      `  ${advice}`,
    );
  }
  if (status.failure === null) return lines;
  const { errcode, errmsg, hint, retryAt } = status.failure;
  return [
    ...lines,
    `  cannot be issued: ${errcode ?? ''} ${errmsg}; tried again ${retryAt}`,
    ...(hint === null ? [] : [`  ${hint}`]),
  ];
}
