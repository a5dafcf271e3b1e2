import { appendFileSync, cpSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { ACCOUNTS, NEWS, SHOP, writeConfig } from '../support/bridge.ts';
import { describeOn, mysqlServer, postgresServer } from '../support/database-servers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { runIn, serveIn } from './command.fixture.ts';

async function platform(): Promise<Simulator> {
  const simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A machine with a configuration; `key` is its seal key when it is not a new one. */
function machine(simulator: Simulator, key = newSealKey(), database = 'sqlite:./open-bridge.db') {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'seal.key'), key);
  writeConfig(folder, simulator.origin, { storage: { database, sealKey: '${file:./seal.key}' } });
  return { folder, key, run: runIn(folder), serve: () => serveIn(folder) };
}

const issues = (simulator: Simulator): number =>
  [SHOP, NEWS].reduce((sum, { appid }) => sum + simulator.counters(appid).stable.calls, 0);

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');

/** Has both apps' tokens issued, and sets so many session keys meanwhile; resolves to the openids that were set. */
async function busy(
  served: { gateway: string; control: string },
  until: () => boolean,
): Promise<readonly string[]> {
  const openids: string[] = [];
  for (let turn = 0; !until() || turn < 50; turn += 1) {
    const openid = `user-${turn}`;
    const answer = await fetch(`${served.control}/uni-open-bridge/setSessionKey`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...SESSION, openid, value: { session_key: sessionKeyOf(openid) } }),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
    openids.push(openid);
  }
  return openids;
}

const SESSION = { appid: SHOP.appid, platform: 'weixin-mp' };
const sessionKeyOf = (openid: string): string => Buffer.from(`canary-${openid}`).toString('base64');

async function sessionKey(control: string, openid: string): Promise<unknown> {
  const answer = await fetch(`${control}/uni-open-bridge/getSessionKey`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...SESSION, openid }),
  });
  return answer.json();
}

async function callBoth(gateway: string): Promise<readonly number[]> {
  const paths = ['/wxa/getwxadevinfo', `/cgi-bin/get_api_domain_ip?from_appid=${NEWS.appid}`];
  return Promise.all(paths.map(async path => (await fetch(gateway + path)).status));
}

async function carry(simulator: Simulator, database?: string) {
  const first = machine(simulator);
  const served = await first.serve();
  expect(await callBoth(served.gateway)).toEqual([200, 200]);
  let done = false;
  const writing = busy(served, () => done);
  const written = await first.run('data', 'backup', '--out', 'backup.jsonl', '--json');
  done = true;
  const openids = await writing;
  expect(written).toMatchObject({ code: 0, err: '' });
  const issued = issues(simulator);
  await served.kill('SIGKILL');

  const second = machine(simulator, first.key, database);
  cpSync(join(first.folder, 'backup.jsonl'), join(second.folder, 'backup.jsonl'));
  const restored = await second.run('data', 'restore', 'backup.jsonl');
  expect(restored).toMatchObject({ code: 0, err: '' });
  const { rows } = JSON.parse(written.out) as { rows: Record<string, number> };
  expect(restored.out).toContain(`opendb-open-data: ${rows['opendb-open-data']}`);
  const again = await second.serve();
  expect(await callBoth(again.gateway)).toEqual([200, 200]);
  expect(issues(simulator)).toBe(issued);
  expect(again.output()).not.toContain('admin key');
  return { first, second, again, openids, rows };
}

describe('a backup', () => {
  test('taken under load and restored elsewhere serves the same credentials with no issue', async () => {
    const simulator = await platform();
    const { first, second, again, openids, rows } = await carry(simulator);
    const file = join(first.folder, 'backup.jsonl');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // Writers came before and after that moment: what was there then is a beginning of what they wrote.
    const sessions = (rows['opendb-open-data'] ?? 0) - 2;
    const found = await Promise.all(openids.map(openid => sessionKey(again.control, openid)));
    const kept = found.map(value => (value as { session_key?: string } | null)?.session_key);
    expect(kept.slice(0, sessions)).toEqual(openids.slice(0, sessions).map(sessionKeyOf));
    expect(kept.slice(sessions).filter(value => value !== undefined)).toEqual([]);
    const certificates = [first, second].map(({ folder }) =>
      readFileSync(join(folder, 'gateway-ca.crt'), 'utf8'),
    );
    expect(certificates[0]).toBe(certificates[1]);
  }, 60_000);

  test('holds no secret in clear, not even what was stored in clear', async () => {
    const simulator = await platform();
    const { folder, key, run, serve } = machine(simulator);
    const served = await serve();
    await callBoth(served.gateway);
    await busy(served, () => true);
    await served.kill('SIGTERM');
    const database = new DatabaseSync(join(folder, 'open-bridge.db'));
    database.exec(
      `insert into "opendb-open-data" (_id, value, expired) values ('of-unicloud', '{"session_key":"canary-in-clear"}', -1)`,
    );
    database.close();
    const written = await run('data', 'backup', '--out', '-', '--history');
    expect(written.code).toBe(0);
    expect(written.err).toContain('written to standard output, sealed with ');
    expect(written.out).toContain('"of-unicloud"');
    expect(written.out).toContain('open_bridge_call_batches');
    for (const secret of ['canary', Buffer.from('canary').toString('base64'), key, SHOP.secret])
      expect(written.out).not.toContain(secret);
    writeFileSync(join(folder, 'written.jsonl'), written.out);

    const second = machine(simulator, key);
    cpSync(join(folder, 'written.jsonl'), join(second.folder, 'written.jsonl'));
    expect((await second.run('data', 'restore', 'written.jsonl')).code).toBe(0);
    const exported = await second.run('data', 'export', '--out', '-');
    expect(exported.out).toContain('canary-in-clear');
  }, 60_000);

  test('is restored only whole, into an empty database, with its keys', async () => {
    const simulator = await platform();
    const first = machine(simulator);
    const served = await first.serve();
    await callBoth(served.gateway);
    await served.kill('SIGTERM');
    expect((await first.run('data', 'backup', '--out', 'backup.jsonl')).code).toBe(0);
    expect((await first.run('data', 'backup', '--out', 'backup.jsonl')).err).toContain('--force');
    const lines = linesOf(join(first.folder, 'backup.jsonl'));

    const second = machine(simulator, first.key);
    const file = join(second.folder, 'backup.jsonl');
    const refusal = async (content: string, ...flags: string[]): Promise<string> => {
      writeFileSync(file, content);
      const { code, err, out } = await second.run('data', 'restore', 'backup.jsonl', ...flags);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      return err;
    };
    const whole = `${lines.join('\n')}\n`;
    expect(await refusal(`${lines.slice(0, -1).join('\n')}\n`)).toContain('the backup ends in the middle');
    expect(await refusal(whole.replace('"epoch":1', '"epoch":2'))).toContain('changed or is damaged');
    expect(await refusal([lines[0], ...lines.slice(2)].join('\n'))).toContain('changed or is damaged');
    expect(await refusal(`${whole}{}\n`)).toContain(`backup.jsonl:${lines.length + 1}: follows the end`);
    expect(await refusal('{"_id":"a","value":"b"}\n')).toContain(
      'backup.jsonl:1: is not the first line of a backup',
    );
    expect(await refusal('')).toContain('the backup ends in the middle');
    expect(await refusal(whole.replace('"openBridgeBackup":1', '"openBridgeBackup":2'))).toContain(
      'whose form this version does not know',
    );
    expect((await second.run('data', 'restore', 'missing.jsonl')).err).toContain(
      'there is no file missing.jsonl',
    );
    // Nothing was even made.
    expect(existsSync(join(second.folder, 'open-bridge.db'))).toBe(false);

    writeFileSync(join(second.folder, 'seal.key'), newSealKey());
    expect(await refusal(whole)).toMatch(
      /the backup is sealed with keys that are not configured: [0-9a-f]{8}; nothing was changed/,
    );
    writeFileSync(join(second.folder, 'seal.key'), first.key);
    writeFileSync(file, whole);
    expect((await second.run('data', 'restore', 'backup.jsonl')).code).toBe(0);
    expect(await refusal(whole)).toContain('the table opendb-open-data is not empty; nothing was changed');
    writeFileSync(file, whole);
    const again = await second.run('data', 'restore', 'backup.jsonl', '--force', '--json');
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ file: 'backup.jsonl', rows: { 'opendb-open-data': 2 } });
    appendFileSync(file, '\n');
    expect((await second.run('data', 'restore', 'backup.jsonl', '--force')).code).toBe(0);
  }, 90_000);
});

for (const server of [postgresServer, mysqlServer])
  await describeOn(server, 'a backup of another kind of database', () => {
    test('is restored, and its credentials served with no issue', async () => {
      const { database, drop } = await server.create();
      onTestFinished(drop);
      await carry(await platform(), database.url.reveal());
    }, 60_000);
  });
