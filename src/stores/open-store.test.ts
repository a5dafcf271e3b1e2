import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { Secret } from '../base/secret.ts';
import { openStore } from './open-store.ts';

const run = promisify(execFile);
const here = JSON.stringify(new URL('./open-store.ts', import.meta.url).href);
const clock = JSON.stringify(new URL('../base/clock.ts', import.meta.url).href);

test('an embedded database loads the driver of no server', async () => {
  const path = join(temporaryFolder(), 'bridge.db');
  const program = `
    import { createRequire } from 'node:module';
    import { openStore } from ${here};
    import { systemClock } from ${clock};
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const store = await openStore({ database: { kind: 'sqlite', path: ${JSON.stringify(path)} }, clock: systemClock, random: Math.random, log });
    await store.ping();
    await store.close();
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(JSON.stringify(loaded.filter(file => /node_modules.(pg|mysql2)/.test(file))));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
  expect(JSON.parse(stdout)).toEqual([]);
});

test.each(['postgres', 'mysql'] as const)('a %s database is opened by its driver', async kind => {
  const url = new Secret(`${kind}://nobody:canary@127.0.0.1:1/none`);
  const database = { kind, url };
  await expect(
    openStore({ database, clock: systemClock, random: Math.random, log: silentLog }),
  ).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringMatching(/\(127\.0\.0\.1:1\/none\) failed: connect ECONNREFUSED/),
  });
});
