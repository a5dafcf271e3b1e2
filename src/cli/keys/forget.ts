import { Command } from 'commander';
import { BridgeError } from '../../base/errors.ts';
import { forgetValues } from '../../stores/resealing.ts';
import { recordCommand } from '../audited.ts';
import { type CliContext, print } from '../context.ts';
import { withStore } from '../data/stored-data.ts';
import { progress } from '../progress.ts';

const KEY_ID = /^[0-9a-f]{8}$/;

interface ForgetFlags {
  readonly config: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `open-bridge keys forget`: the way out when a key is lost. */
export function forgetCommand(context: CliContext): Command {
  return new Command('forget')
    .description('remove everything that only a lost sealing key could open')
    .argument('<key-id>', 'the id that messages name, such as 1a2b3c4d')
    .option('-c, --config <file>', 'configuration file', 'open-bridge.json')
    .option('--yes', 'remove it; without, it is only counted')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nApp credentials are issued anew when next asked for. Users must log in again, callers over HTTPS must\ntrust a new CA certificate, virtual tokens end, and pushed values must be pushed in again.',
    )
    .action((keyId: string, flags: ForgetFlags) => forget(context, keyId, flags));
}

async function forget(context: CliContext, keyId: string, flags: ForgetFlags): Promise<void> {
  const { config, yes = false, json } = flags;
  if (!KEY_ID.test(keyId)) {
    throw new BridgeError('REQUEST_MALFORMED', 'the id of a key is 8 hex digits', {
      hint: 'give the id that the refusal at the start or open-bridge keys rotate --dry-run names, never a key',
    });
  }
  const rows = await withStore(context, config, 'read', async (store, keys) => {
    if (keys.keyIds().includes(keyId)) {
      throw new BridgeError('REQUEST_MALFORMED', `the key ${keyId} is configured, so nothing is lost`, {
        hint: 'to replace it, use open-bridge keys rotate',
      });
    }
    const onProgress = progress(context, 'rows looked at');
    const removed = await forgetValues({ store, keyId, dryRun: !yes, onProgress });
    const detail = `keys forget: rows of key ${keyId} removed`;
    if (yes) await recordCommand(context, store, { action: 'forget-key', outcome: 'done', detail });
    return removed;
  });
  await print(context, json, { key: keyId, rows, removed: yes }, () => [
    yes
      ? `rows removed that only key ${keyId} opens: ${rows}`
      : `rows that only key ${keyId} opens: ${rows}; nothing was changed, --yes removes them`,
  ]);
}
