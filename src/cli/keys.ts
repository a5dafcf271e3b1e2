import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { BridgeError } from '../base/errors.ts';
import { newSealKey } from '../stores/sealing.ts';
import type { CliContext } from './context.ts';
import { forgetCommand } from './keys/forget.ts';
import { leakDrillCommand } from './keys/leak-drill.ts';
import { rotateCommand } from './keys/rotate.ts';

/** `open-bridge keys`: the keys that seal credentials at rest, and what to do when a key or a token leaked. */
export function keysCommand(context: CliContext): Command {
  const keys = new Command('keys').description('sealing keys, and the leak drill');
  keys
    .command('new')
    .description('make a sealing key: 32 random bytes in base64')
    .option('-o, --out <file>', 'write it to a new file readable by you alone, instead of printing it')
    .action(({ out }: { out?: string }) => {
      const key = newSealKey();
      if (out === undefined) {
        context.out(key);
        return;
      }
      try {
        mkdirSync(dirname(out), { recursive: true, mode: 0o700 });
        writeFileSync(out, `${key}\n`, { mode: 0o600, flag: 'wx' });
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code;
        throw new BridgeError('CONFIG_INVALID', `cannot write ${out} (${code})`, {
          cause,
          hint:
            code === 'EEXIST'
              ? 'a key that has sealed something must not be lost: choose another file'
              : 'choose a folder that you may write to',
        });
      }
      context.out(
        `sealing key written to ${out}; keep a copy somewhere safe, what it seals cannot be read without it`,
      );
    });
  keys.addCommand(rotateCommand(context));
  keys.addCommand(forgetCommand(context));
  keys.addCommand(leakDrillCommand(context));
  return keys;
}
