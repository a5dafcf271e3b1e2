// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Command } from 'commander';
import { COMMANDS, runCommand } from '../../src/cli/commands.ts';
import type { CliContext } from '../../src/cli/context.ts';
import type { Stage } from './stage.ts';

/** How a command is driven: its arguments, once for each way in which it is run, or why it is not. */
type CommandDrive =
  | ((file: (name: string) => string, stage: Stage) => readonly (readonly string[])[])
  | { readonly excused: string };

const PLAIN: CommandDrive = () => [[]];

/** Every command that ends by itself, in an order in which each can succeed. One that is missing here fails the test. */
export const COMMAND_DRIVES: Readonly<Record<string, CommandDrive>> = {
  serve: { excused: 'runs all the time: it is what is driven' },
  dev: { excused: 'the same as serve, with the secrets of the demonstration, which open nothing' },
  simulator: { excused: 'its accounts and their secrets open nothing' },
  'credentials list': PLAIN,
  'callers list': PLAIN,
  calls: () => [['--last', '200'], ['no-such-call']],
  'audit list': () => [['--last', '500']],
  'audit head': PLAIN,
  'audit export': file => [['--out', file('audit.jsonl')]],
  'audit verify': file => [[], ['--file', file('audit.jsonl')], ['--file', file('faulty.jsonl')]],
  usage: PLAIN,
  'config check': file => ['open-bridge.json', 'faulty.json', 'broken.json'].map(name => [file(name)]),
  'config import': file => [
    [file('center'), '--out', file('imported.json')],
    [file('faulty-center'), '--out', file('none.json')],
  ],
  'keys new': file => [['--out', file('new.key')]],
  'data export': file => [['--out', file('exported.json')]],
  'data import': file => [[file('exported.json'), '--force'], [file('faulty.jsonl')]],
  'data backup': file => [['--out', file('backup.jsonl'), '--history']],
  'data restore': file => [
    [file('backup.jsonl'), '--config', file('restore.json')],
    [file('faulty.jsonl'), '--config', file('restore.json')],
  ],
  'keys rotate': file => [['--dry-run'], ['--config', file('rotated.json')]],
  'keys forget': () => [['0badc0de'], ['not-an-id']],
  doctor: (file, { control }) => [
    ['--mint', '--url', control],
    ['--offline', '--config', file('faulty.json')],
  ],
  'credentials rotate': () => [['shop'], ['frozen'], ['nobody']],
  'callers revoke': () => [['legacy'], ['nobody']],
  'callers revoke-key': () => [['former'], ['nobody']],
  'keys leak-drill': () => [['news', '--rehearse'], ['news', '--report'], ['nobody']],
};

/** Run in a process of its own, as users do; the others in this one, which saves most of their time. */
const IN_PROCESSES = ['credentials list', 'data export'];

/** Files of the run whose purpose is to hold values in clear, with the reason. */
export const FILES_OF_VALUES: Readonly<Record<string, string>> = {
  'exported.json': 'data export writes values in clear, readable by its user alone, and says so',
  'imported.json': 'config import writes the appsecrets it found, readable by its user alone, and says so',
  'new.key': 'keys new makes a key',
};

/** A command that does something, with the words that name it. */
interface Leaf {
  readonly name: string;
  readonly command: Command;
}

async function leaves(): Promise<readonly Leaf[]> {
  const context = contextOf({}, () => {});
  const made = await Promise.all(Object.values(COMMANDS).map(async load => (await load())(context)));
  const below = (command: Command, above: string): Leaf[] => {
    const name = `${above}${command.name()}`;
    if (command.commands.length === 0) return [{ name, command }];
    return command.commands.flatMap(each => below(each, `${name} `));
  };
  return made.flatMap(command => below(command, ''));
}

/** Names of all commands that do something, as `data export`. */
export async function commandNames(): Promise<readonly string[]> {
  return (await leaves()).map(({ name }) => name);
}

/** What `src/cli/main.ts` gives to the commands, with an ear to what they print. */
function contextOf(env: CliContext['env'], print: (text: string) => void): CliContext {
  return {
    ...{ version: '0.0.0-test', instance: 'test:1', env, tmpDir: '/tmp', uid: process.getuid?.() },
    out: async text => print(text),
    err: print,
    ...{ onSignal() {}, exit() {} },
  };
}

/** Runs every command beside the running bridge, as scripts do with `--json` or as people do. */
export async function driveCommands(stage: Stage, json: boolean): Promise<void> {
  prepareFiles(stage);
  const { processes, evidence, folder, planted, configPath } = stage;
  const commands = await leaves();
  const file = (name: string): string => join(folder, name);
  for (const [name, drive] of Object.entries(COMMAND_DRIVES))
    for (const args of typeof drive === 'function' ? drive(file, stage) : []) {
      const options =
        commands.find(each => each.name === name)?.command.options.map(({ long }) => long) ?? [];
      const words = [
        ...[...name.split(' '), ...args],
        ...(options.includes('--config') && !args.includes('--config') ? ['--config', configPath] : []),
        ...(options.includes('--json') && json ? ['--json'] : []),
      ];
      if (IN_PROCESSES.includes(name)) await processes.run(...words);
      else await runHere(stage, words);
    }
  planted.add('seal-key', 'new key', readFileSync(file('new.key'), 'utf8').trim());
  for (const name of ['new.key', 'exported.json', 'imported.json', 'backup.jsonl', 'audit.jsonl'])
    if (readFileSync(file(name)).length === 0) throw new Error(`${name} is empty`);
  if (evidence.size('output of open-bridge audit') === 0) throw new Error('nothing was printed');
}

/** Runs a command in this process. */
export async function runHere({ processes, evidence }: Stage, words: readonly string[]): Promise<void> {
  let printed = '';
  const context = contextOf(processes.env, text => {
    printed += `${text}\n`;
  });
  await runCommand(words, context).catch((error: unknown) => {
    // As Node.js prints what nobody caught.
    printed += inspect(error, { depth: 10 });
  });
  evidence.add(`output of open-bridge ${words.slice(0, 2).join(' ')}`, printed);
}

/** Writes what the commands take: with secrets in their places, and in wrong ones. */
function prepareFiles({ folder, planted, config }: Stage): void {
  const write = (name: string, content: object | string): void => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  };
  const misplaced = planted.make('misplaced', 'secret in a faulty file');
  const storage = config['storage'] as { readonly sealKey: readonly string[] };
  const [present = '', former = ''] = storage.sealKey;
  write('restore.json', {
    ...config,
    storage: { ...storage, database: 'sqlite:./restored.db', redis: null },
  });
  write('rotated.json', { ...config, storage: { ...storage, sealKey: [former, present] } });
  write('faulty.json', faultyConfig(config, misplaced));
  write('broken.json', `{ "apps": [ { "secret": "${misplaced}" "appid": ${misplaced} } ] }`);
  const row = { _id: `uni-id:wx:${misplaced}`, value: { access_token: misplaced }, expired: misplaced };
  const lines = [
    `{"value":"${misplaced}`,
    misplaced,
    JSON.stringify(row),
    JSON.stringify({ [misplaced]: 1 }),
  ];
  write('faulty.jsonl', lines.join('\n'));
  const weixin = (appid: unknown, appsecret: unknown) => ({
    'mp-weixin': { oauth: { weixin: { appid, appsecret } } },
  });
  const secret = planted.make('app-secret', 'secret in a uni-config-center');
  const s2s = planted.make('s2s-secret', 'sign key in a uni-config-center');
  const tokenSecret = planted.make('app-secret', 'tokenSecret of uni-id');
  write('center/uni-id/config.json', {
    ...{ dcloudAppid: '__UNI__SHOP02', tokenSecret, passwordSecret: tokenSecret },
    ...weixin('wx00000000000000e5', secret),
  });
  write('center/uni-cloud-s2s/config.json', { type: 'sign', signKey: s2s, hashMethod: 'hmac-sha256' });
  write('faulty-center/uni-id/config.json', { ...weixin([secret], { secret }), tokenSecret });
  write('faulty-center/uni-cloud-s2s/config.json', `{ "type": "sign", "signKey": "${s2s}" "x": ${s2s} }`);
}

/** A configuration that has a secret in every place where it is at fault. */
export function faultyConfig(config: Readonly<Record<string, unknown>>, secret: string): object {
  return {
    ...config,
    apps: [
      { name: `${secret} `, platform: secret, appid: `a ${secret}`, secret: `${secret} `, managed: secret },
    ],
    openapi: { allow: [secret] },
    callers: [
      {
        name: 'a',
        key: `${secret} `,
        addresses: [secret],
        scopes: [secret],
        tokens: secret,
        allow: [secret],
        expires: secret,
      },
      { name: 'b', keys: secret, apps: [secret] },
    ],
    s2s: { type: secret, signKey: ` ${secret}`, hashMethod: secret, connectCode: `${secret} ` },
    ipWhiteList: [secret],
    schedule: { __UNI__SHOP01: { enable: secret } },
    storage: { database: `postgres://user:${secret}@:x/`, redis: `redis://:${secret}@:x`, sealKey: secret },
    listen: { control: secret, gateway: `${secret}:99999` },
    upstream: { weixin: `https://user:${secret}@host/path`, qq: secret },
    gateway: { timeoutMs: secret },
    admin: { keys: [`${secret} `] },
    follow: { gateway: `https://user:${secret}@host/path`, key: `${secret} `, ca: secret },
    log: { level: secret },
    secret,
  };
}
