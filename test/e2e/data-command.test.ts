import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../../src/simulator/index.ts';
import { newSealKey } from '../../src/stores/sealing.ts';
import { ACCOUNTS, SHOP, temporaryFolder, writeConfig } from '../support/bridge.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const LATER = Date.parse('2090-01-01T00:00:00Z');
const TOKEN_ROW = `uni-id:weixin-mp:${SHOP.appid}:access-token`;
const FOREIGN_ROW = 'uni-id:__UNI__X:weixin-mp:code:0a1b:secure-network-cache';
const SESSION_ROW = `uni-id:weixin-mp:${SHOP.appid}:oABC:session-key`;

let folder: ReturnType<typeof temporaryFolder>;
let simulator: Simulator;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = temporaryFolder();
  simulator = await startSimulator({ accounts: ACCOUNTS.map(each => ({ ...each })) });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await simulator.close();
  folder[Symbol.dispose]();
});

interface Finished {
  readonly code: number | string | null;
  readonly out: string;
  readonly err: string;
}

const execute = (command: string, args: readonly string[]) =>
  promisify(execFile)(command, args, { cwd: folder.path });

/** Runs `open-bridge …` to its end. */
function finish(...args: string[]): Promise<Finished> {
  return new Promise(resolve => {
    const options = { cwd: folder.path, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [MAIN, ...args], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : (error.code ?? null), out, err }),
    );
  });
}

/** Starts a bridge on the configuration in the folder; resolves to its gateway once it answers. */
async function serve(): Promise<string> {
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (text += chunk));
  await expect.poll(() => text, { timeout: 15_000 }).toContain('open-bridge is ready');
  return /"gateway":"([^"]+)"/.exec(text)?.[1] ?? '';
}

const inFolder = (name: string): string => join(folder.path, name);
const linesIn = (name: string): Record<string, unknown>[] =>
  readFileSync(inFolder(name), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line));

function writeLines(name: string, lines: readonly (string | object)[]): void {
  const texts = lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line)));
  writeFileSync(inFolder(name), `${texts.join('\n')}\n`);
}

/** What uniCloud would have stored: the one token the platform was asked for. */
async function tokenFromPlatform(): Promise<string> {
  const answer = await fetch(`${simulator.origin}/cgi-bin/stable_token`, {
    method: 'POST',
    body: JSON.stringify({ grant_type: 'client_credential', appid: SHOP.appid, secret: SHOP.secret }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

const rowOf = (_id: string, value: object, expired: unknown = -1) => ({
  _id,
  value: JSON.stringify(value),
  expired,
});

describe('open-bridge data', () => {
  it('takes what uniCloud exported before the first start, serves from it, and gives it back', async () => {
    writeConfig(folder.path, simulator.origin, { openapi: { allow: ['/wxa/*'] } });
    const token = await tokenFromPlatform();
    const exported = [
      rowOf(FOREIGN_ROW, { openid: 'oABC', session_key: 'canary-session' }, LATER),
      rowOf(TOKEN_ROW, { access_token: token }, Date.now() + 7_000_000),
      rowOf(SESSION_ROW, { session_key: 'canary-session' }),
    ];
    writeLines('from-unicloud.json', exported);
    const imported = await finish('data', 'import', 'from-unicloud.json');
    expect(imported).toEqual({
      code: 0,
      out: '3 lines: 3 imported, 0 kept as they stand here, 0 ended before and were left out, 0 malformed\n',
      err: '',
    });
    const stored = Buffer.concat(
      readdirSync(folder.path)
        .filter(name => name.startsWith('open-bridge.db'))
        .map(name => readFileSync(inFolder(name))),
    );
    expect(stored.includes(TOKEN_ROW)).toBe(true);
    expect(stored.includes('canary-session')).toBe(false);

    const gateway = await serve();
    expect((await fetch(`${gateway}/wxa/getwxadevinfo`)).status).toBe(200);
    expect(simulator.counters(SHOP.appid).stable.calls).toBe(1);

    const back = await finish('data', 'export', '--out', 'back.json');
    expect(back.code).toBe(0);
    expect(linesIn('back.json')).toEqual(expect.arrayContaining([exported[0], exported[2]]));
    expect(linesIn('back.json')[0]).toEqual(exported[0]);
    expect(statSync(inFolder('back.json')).mode & 0o777).toBe(0o600);
    for (const { out, err } of [imported, back]) expect(out + err).not.toContain('canary');
  }, 60_000);

  it('works beside a running bridge, which takes the newer value at once', async () => {
    writeConfig(folder.path, simulator.origin, { openapi: { allow: ['/wxa/*'] } });
    const gateway = await serve();
    const status = async () => (await fetch(`${gateway}/wxa/getwxadevinfo`)).status;
    await expect.poll(status).toBe(200);
    const before = simulator.counters(SHOP.appid).stable;

    writeLines('import.json', [rowOf(TOKEN_ROW, { access_token: 'canary-refused' }, LATER)]);
    expect((await finish('data', 'import', 'import.json')).out).toContain('0 imported, 1 kept');
    expect((await finish('data', 'import', 'import.json', '--force', '--json')).out).toBe(
      '{"file":"import.json","lines":1,"imported":1,"kept":0,"ended":0,"malformed":0,"faults":[]}\n',
    );
    // The bridge notices the value, is refused with it, and repairs it.
    await expect
      .poll(
        async () => {
          expect(await status()).toBe(200);
          return simulator.counters(SHOP.appid).stable.calls;
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBeGreaterThan(before.calls);
    const full = await finish('data', 'export', '--full', '--out', '-');
    const [row] = full.out
      .split('\n')
      .filter(line => line.includes(TOKEN_ROW))
      .map(line => JSON.parse(line));
    expect(row.openBridge).toMatchObject({ platform: 'weixin-mp', epoch: 3, background: true });
    expect(full.err).toContain('rows written to standard output');
  }, 60_000);

  it('moves everything to another database and key with --full', async () => {
    writeConfig(inFolder('one'), simulator.origin);
    writeConfig(inFolder('two'), simulator.origin);
    const [one, two] = [
      ['--config', 'one/open-bridge.json'],
      ['--config', 'two/open-bridge.json'],
    ] as const;
    const own = {
      platform: 'weixin-mp',
      appid: SHOP.appid,
      kind: 'access-token',
      epoch: 4,
      background: true,
    };
    writeLines('rows.json', [
      rowOf(SESSION_ROW, { session_key: 'K' }),
      { ...rowOf(TOKEN_ROW, { access_token: 'T' }, LATER), openBridge: { ...own, renewAt: LATER - 300_000 } },
    ]);
    expect((await finish('data', 'import', 'rows.json', ...one)).code).toBe(0);
    expect((await finish('data', 'export', '--full', '--out', 'full.json', ...one)).code).toBe(0);
    expect((await finish('data', 'import', 'full.json', ...two)).code).toBe(0);
    expect((await finish('data', 'export', '--full', '--out', 'again.json', ...two)).code).toBe(0);
    expect(readFileSync(inFolder('again.json'), 'utf8')).toBe(readFileSync(inFolder('full.json'), 'utf8'));
    expect(linesIn('again.json')[0]).toMatchObject({ _id: TOKEN_ROW, openBridge: own });
  }, 30_000);

  it('imports what is good and names the lines that are not, without quoting them', async () => {
    writeConfig(folder.path, simulator.origin);
    writeLines('mixed.json', [
      rowOf('a', { session_key: 'canary-a' }, { $date: '2090-01-01T00:00:00Z' }),
      '{"_id":"b","value":"canary-b',
      '',
      { _id: 'c', value: { session_key: 'canary-c' }, expired: { $numberLong: String(LATER) } },
      { _id: 'd', value: 'canary-d' },
      rowOf('ended', { session_key: 'canary-e' }, Date.parse('2026-01-01T00:00:00Z')),
    ]);
    const told = await finish('data', 'import', 'mixed.json');
    expect(told).toEqual({
      code: 1,
      out: [
        '5 lines: 2 imported, 0 kept as they stand here, 1 ended before and were left out, 2 malformed',
        'malformed lines were left out; everything else was imported',
        '',
      ].join('\n'),
      err: [
        'mixed.json:2: is not JSON; there must be one whole object in each line',
        'mixed.json:5: value is a text but not JSON',
        '',
      ].join('\n'),
    });
    const json = await finish('data', 'import', 'mixed.json', '--json');
    expect(json).toMatchObject({ code: 1, err: '' });
    expect(JSON.parse(json.out)).toEqual({
      file: 'mixed.json',
      ...{ lines: 5, imported: 2, kept: 0, ended: 1, malformed: 2 },
      faults: [
        { line: 2, message: 'is not JSON; there must be one whole object in each line' },
        { line: 5, message: 'value is a text but not JSON' },
      ],
    });
    expect(json.out).not.toContain('canary');
    const { out } = await finish('data', 'export', '--out', '-');
    expect(out.split('\n')).toEqual([
      JSON.stringify(rowOf('a', { session_key: 'canary-a' }, LATER)),
      JSON.stringify(rowOf('c', { session_key: 'canary-c' }, LATER)),
      '',
    ]);
  }, 30_000);

  it('writes over no file unless told to, and leaves no half of one', async () => {
    const config = writeConfig(folder.path, simulator.origin);
    writeLines('rows.json', [rowOf('a', { session_key: 'K' }, LATER)]);
    await finish('data', 'import', 'rows.json');
    writeFileSync(inFolder('opendb-open-data.json'), 'precious', { mode: 0o644 });
    const refused = await finish('data', 'export');
    expect(refused).toMatchObject({ code: 1, out: '', err: expect.stringContaining('--force') });
    expect(readFileSync(inFolder('opendb-open-data.json'), 'utf8')).toBe('precious');
    expect((await finish('data', 'export', '--force')).code).toBe(0);
    expect(linesIn('opendb-open-data.json')).toHaveLength(1);
    expect(statSync(inFolder('opendb-open-data.json')).mode & 0o777).toBe(0o600);

    symlinkSync('rows.json', inFolder('link.json'));
    mkdirSync(inFolder('folder'));
    for (const out of ['link.json', 'folder', '/dev/null'])
      expect(await finish('data', 'export', '--force', '--out', out)).toMatchObject({
        code: 1,
        err: expect.stringContaining('not a plain file'),
      });
    const nowhere = await finish('data', 'export', '--out', 'no/such/folder.json');
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('make its folder') });

    const raw = new DatabaseSync(inFolder('open-bridge.db'));
    raw.exec('drop table "opendb-open-data"');
    raw.close();
    for (const force of [[], ['--force']]) {
      const broken = await finish('data', 'export', '--config', config, '--out', 'half.json', ...force);
      expect(broken).toMatchObject({ code: 1, err: expect.stringContaining('no such table') });
    }
    expect(readdirSync(folder.path).filter(name => name.startsWith('half.json'))).toEqual([]);
  }, 30_000);

  it('exports what opens when a key is missing, and tells which rows do not', async () => {
    writeConfig(folder.path, simulator.origin);
    writeLines('former.json', [rowOf('a', { session_key: 'K' }), rowOf('c', { session_key: 'K' })]);
    await finish('data', 'import', 'former.json');
    writeFileSync(inFolder('seal.key'), newSealKey());
    writeLines('present.json', [rowOf('b', { session_key: 'K' })]);
    await finish('data', 'import', 'present.json');
    const told = await finish('data', 'export', '--out', 'rows.json');
    expect(told).toMatchObject({
      code: 1,
      out: expect.stringContaining('2 rows do not open and were left out'),
    });
    expect(told.err).toMatch(
      /^left out: the stored value a is sealed with key .*\nleft out: the stored value c /,
    );
    expect(linesIn('rows.json')).toEqual([rowOf('b', { session_key: 'K' })]);
    const json = await finish('data', 'export', '--out', '-', '--json');
    expect(JSON.parse(json.err)).toMatchObject({
      file: '-',
      rows: 1,
      broken: 2,
      faults: [{ id: 'a' }, { id: 'c' }],
    });
    expect(json.out).toBe(`${JSON.stringify(rowOf('b', { session_key: 'K' }))}\n`);
  }, 30_000);

  it('carries more than a pipe holds, and tells how far it is', async () => {
    writeConfig(folder.path, simulator.origin);
    const lines = Array.from({ length: 100_001 }, (_, n) =>
      JSON.stringify(rowOf(`uni-id:weixin-mp:${SHOP.appid}:o${n}:session-key`, { session_key: `K${n}` })),
    );
    writeFileSync(inFolder('many.json'), lines.join('\r\n'));
    const imported = await finish('data', 'import', 'many.json');
    expect(imported).toMatchObject({ code: 0, err: '100000 lines read\n' });
    expect(imported.out).toContain('100001 imported');
    const exported = await finish('data', 'export', '--out', '-');
    expect(exported.err).toMatch(/^100000 rows written\n100001 rows written to standard output/);
    expect(exported.out.split('\n').slice(0, -1).toSorted()).toEqual(lines.toSorted());

    const [first] = exported.out.split('\n');
    const piped = await execute('sh', [
      '-c',
      `'${process.execPath}' '${MAIN}' data export --out - | head -n 1`,
    ]);
    expect(piped).toEqual({ stdout: `${first}\n`, stderr: '' });

    const child = spawn(process.execPath, [MAIN, 'data', 'export', '--out', 'half.json'], {
      cwd: folder.path,
      stdio: 'ignore',
    });
    children.push(child);
    const exited = once(child, 'exit');
    await expect.poll(() => existsSync(inFolder('half.json')), { timeout: 10_000, interval: 2 }).toBe(true);
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    expect(existsSync(inFolder('half.json'))).toBe(false);
  }, 60_000);

  it('makes no database to read from, and touches none of another version', async () => {
    writeConfig(folder.path, simulator.origin);
    const missing = await finish('data', 'export');
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('there is no database') });
    expect(existsSync(inFolder('open-bridge.db'))).toBe(false);
    const nothing = await finish('data', 'import', 'no-such-file.json');
    expect(nothing).toMatchObject({ code: 1, err: expect.stringContaining('cannot read no-such-file.json') });
    const notFile = await finish('data', 'import', '.');
    expect(notFile).toMatchObject({ code: 1, err: expect.stringContaining('EISDIR') });
    expect(existsSync(inFolder('open-bridge.db'))).toBe(false);

    writeFileSync(inFolder('empty.json'), '');
    expect((await finish('data', 'import', 'empty.json')).out).toContain('0 lines');
    const raw = new DatabaseSync(inFolder('open-bridge.db'));
    raw.exec("delete from open_bridge_migrations where name >= '0004'");
    const older = await finish('data', 'export');
    expect(older).toMatchObject({ code: 1, err: expect.stringContaining('is of an older version') });
    expect(
      raw.prepare('select count(*) as n from open_bridge_migrations where name > ?').get('0004'),
    ).toEqual({
      n: 0,
    });
    raw.close();
    writeConfig(folder.path, simulator.origin, {
      storage: { database: 'sqlite::memory:', sealKey: '${file:./seal.key}' },
    });
    const inMemory = await finish('data', 'export');
    expect(inMemory).toMatchObject({ code: 1, err: expect.stringContaining('in memory') });
  }, 30_000);
});
