import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { startSimulator } from '../../src/simulator/index.ts';
import { createSealer } from '../../src/stores/sealing.ts';
import { ACCOUNTS, writeConfig } from '../support/bridge.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { runIn, serveIn } from './command.fixture.ts';

const GUIDE = readFileSync(fileURLToPath(new URL('../../docs/sealing.md', import.meta.url)), 'utf8');

type Step = { readonly run: readonly string[] } | { readonly sealKey: unknown };

/** What the guide tells to do, in its order: commands to run and settings to make. */
const steps = [...GUIDE.matchAll(/^ *```(sh|jsonc)\n([\s\S]*?)^ *```/gm)].flatMap(
  ([, language, content = '']): readonly Step[] =>
    language === 'sh'
      ? content
          .trim()
          .split('\n')
          .map(line => ({ run: line.trim().split(' ').slice(1) }))
      : [{ sealKey: JSON.parse(`{${content}}`).sealKey }],
);

test('every command of the guide does what it says, one after the other', async () => {
  const folder = temporaryFolder();
  const simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
  onTestFinished(() => simulator.close());
  const run = runIn(folder);
  const ran: string[] = [];
  let lost = '';
  for (const step of steps) {
    if ('sealKey' in step) {
      const storage = { database: 'sqlite:./data/open-bridge.db', sealKey: step.sealKey };
      writeConfig(folder, simulator.origin, { storage });
      const served = await serveIn(folder);
      expect((await fetch(`${served.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
      await served.kill('SIGTERM');
      continue;
    }
    const [group, name] = step.run;
    if (name === 'forget' && lost === '') {
      // The key is gone, and another takes its place.
      const path = join(folder, 'data', 'seal-2.key');
      [lost = ''] = createSealer([new Secret(readFileSync(path, 'utf8').trim())]).keyIds();
      renameSync(path, join(folder, 'found.key'));
      expect((await run('keys', 'new', '--out', 'data/seal-2.key')).code).toBe(0);
      expect((await run('serve')).err).toContain(`keys that are not configured: ${lost} (`);
    }
    if (name === 'backup') {
      const served = await serveIn(folder);
      expect((await fetch(`${served.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
      await served.kill('SIGTERM');
    }
    if (name === 'restore') rmSync(join(folder, 'data', 'open-bridge.db'));
    const { code, out, err } = await run(...step.run.map(word => (word === '1a2b3c4d' ? lost : word)));
    expect({ command: step.run, code, err }).toEqual({ command: step.run, code: 0, err: '' });
    ran.push(
      `${group} ${name}: ${out
        .trim()
        .split('\n')
        .at(-1)
        ?.replaceAll(/\b[0-9a-f]{8}\b/g, 'ID')}`,
    );
  }
  expect(ran).toEqual([
    expect.stringMatching(/^keys new: sealing key written to data\/seal\.key/),
    expect.stringMatching(/^keys new: sealing key written to data\/seal-2\.key/),
    'keys rotate: nothing was changed',
    'keys rotate: nothing needs ID any more: take it out of storage.sealKey on all nodes',
    expect.stringMatching(/^keys forget: rows that only key ID opens: \d; nothing was changed/),
    expect.stringMatching(/^keys forget: rows removed that only key ID opens: \d$/),
    expect.stringMatching(/^data backup: written to backup\.jsonl, sealed with ID/),
    expect.stringMatching(/^data restore: restored from backup\.jsonl, as it stood at /),
  ]);
  const served = await serveIn(folder);
  expect((await fetch(`${served.gateway}/wxa/getwxadevinfo`)).status).toBe(200);
}, 120_000);
