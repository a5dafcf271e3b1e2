import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { BridgeError } from '../../base/errors.ts';
import { type Client, ClientError } from '../../client/client.ts';
import type { LeakDrillBody } from '../../contract/leak-drill.ts';
import { instant } from '../arguments.ts';
import { type CliContext, print } from '../context.ts';
import { clientFor, type RemoteOptions, remote } from '../remote.ts';
import { drillLines } from './leak-drill-lines.ts';

const POLL_MS = 500;
/** So long a bridge may be away, as while it restarts or another takes over. */
const PATIENCE_MS = 120_000;
/** What a shell expects of a program that was interrupted. */
const INTERRUPTED = 130;

interface DrillFlags extends RemoteOptions {
  readonly since?: string;
  readonly revokeKey: readonly string[];
  readonly rehearse?: boolean;
  readonly report?: boolean;
}

/** `open-bridge keys leak-drill`: what to run when a token or a key leaked. */
export function leakDrillCommand(context: CliContext): Command {
  return remote(context, new Command('leak-drill'))
    .description(
      'end a token that leaked: take back virtual tokens and chosen caller keys, refresh twice, tell who had it',
    )
    .argument('<app>', 'name or appid')
    .option('--since <time>', 'tell who had tokens since then, such as 2026-03-01T04:00', instant)
    .option(
      '--revoke-key <caller>',
      'also take back every key of this caller, or the key with this fingerprint; may be given again',
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option('--rehearse', 'look and report, and change nothing')
    .option('--report', 'show the latest drill and its report, and begin none')
    .addHelpText(
      'after',
      '\nThe bridge does the work and carries on when this command or one of its nodes ends; running the command again meanwhile joins the drill.\nExit status: 0 when both refreshes are done, 1 otherwise.',
    )
    .action(async (app: string, flags: DrillFlags) => {
      const drill = await drilled(context, app, flags);
      await print(context, flags.json, drill, () => drillLines(drill));
      if (drill.state === 'failed' || drill.state === 'running') context.exit(1);
    });
}

async function drilled(context: CliContext, app: string, flags: DrillFlags): Promise<LeakDrillBody> {
  const client = clientFor(context, flags);
  if (flags.report) return client.getLeakDrill({ app, report: true });
  const begun = await client.startLeakDrill({
    app,
    revokeCallerKeys: [...flags.revokeKey],
    since: flags.since,
    rehearsal: flags.rehearse ?? false,
  });
  if (begun.state === 'rehearsed') return begun;
  context.err(
    `leak drill ${begun.id} of ${begun.app}: two refreshes, at least ${begun.apartSeconds} s apart; the bridge carries on if you leave`,
  );
  context.onSignal('SIGINT', () => {
    context.err(
      `the bridge carries on by itself: "open-bridge keys leak-drill ${app} --report" shows how far it is`,
    );
    context.exit(INTERRUPTED);
  });
  await followed(context, client, app, begun);
  return client.getLeakDrill({ app, report: true });
}

/** Tells each step as it ends; resolves when the drill is over. */
async function followed(
  context: CliContext,
  client: Client,
  app: string,
  begun: LeakDrillBody,
): Promise<void> {
  const told = new Set<string>();
  let answeredAt = systemClock.now();
  for (let drill = begun; ; ) {
    for (const { name, state, outcome } of drill.steps) {
      if (state === 'pending' || told.has(`${name} ${state}`)) continue;
      told.add(`${name} ${state}`);
      context.err(state === 'running' ? `${name} …` : `${name} ${state}: ${outcome}`);
    }
    if (drill.state !== 'running') return;
    await systemClock.sleep(POLL_MS);
    try {
      const now = await client.getLeakDrill({ app });
      if (now.id !== begun.id) return;
      drill = now;
      answeredAt = systemClock.now();
    } catch (error) {
      // A node that ends or a database that is away for a moment does not end the drill.
      const passing = error instanceof ClientError && (error.status === 0 || error.status >= 500);
      if (!passing) throw error;
      if (systemClock.now() - answeredAt < PATIENCE_MS) continue;
      throw new BridgeError('STORE_UNAVAILABLE', `${error.message}; how the drill stands is not known`, {
        cause: error,
        hint: 'any node of the database carries it on; once one answers, run the command again with --report',
      });
    }
  }
}
