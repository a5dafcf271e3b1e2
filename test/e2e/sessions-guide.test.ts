import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROUTES, type Route } from '../../src/contract/routes.ts';
import { SHOP } from '../support/bridge.ts';
import { openStage, type Stage } from './sessions.fixture.ts';

const run = promisify(execFile);
const guide = readFileSync(fileURLToPath(new URL('../../docs/sessions.md', import.meta.url)), 'utf8');

/** The blocks of a language in the guide, in their order. */
function blocks(language: string): string[] {
  return [...guide.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, name]) => name === language)
    .map(([, , text = '']) => text);
}

const KEY = 'key-of-the-caller-of-the-guide';

/** Everything the commands of the guide expect in their environment. */
async function environmentOf({ running, simulator }: Stage): Promise<Record<string, string>> {
  const { code, openid } = simulator.users.code(SHOP.appid, { user: 'alice' });
  const { code: phoneCode } = simulator.users.code(SHOP.appid, { user: 'alice', use: 'phone' });
  return {
    PATH: process.env['PATH'] ?? '',
    BRIDGE: running.control,
    KEY,
    CODE: code,
    OPENID: openid,
    PHONE_CODE: phoneCode,
  };
}

it('runs every command of the guide, with the answers it shows', async () => {
  const caller = { name: 'web', key: KEY, apps: ['shop', 'news'], scopes: ['session:use'] };
  const stage = await openStage({ config: { callers: [caller] } });
  const environment = await environmentOf(stage);
  const [login = '', ...commands] = blocks('sh');
  const answers: unknown[] = [];
  const execute = async (command: string): Promise<void> => {
    const { stdout } = await run('bash', ['-euc', command], { env: environment });
    answers.push(...stdout.split(/(?<=\})(?=\{)/).map(text => JSON.parse(text) as unknown));
  };
  await execute(login);
  const given = stage.simulator.users.openData(SHOP.appid, { openid: environment['OPENID'] ?? '' });
  Object.assign(environment, {
    ENCRYPTED_DATA: given.encryptedData,
    IV: given.iv,
    RAW_DATA: given.rawData,
    SIGNATURE: given.signature,
  });
  for (const command of commands) await execute(command);

  const posts = commands
    .concat(login)
    .join('\n')
    .match(/\/v1\/[\w/-]+/g);
  const offered = Object.values<Route>(ROUTES)
    .filter(({ access }) => typeof access === 'object' && access.scope === 'session:use')
    .map(({ url }) => url);
  expect(new Set(posts)).toEqual(new Set(offered));
  for (const answer of answers) expect(answer).not.toHaveProperty('error_code');

  const keys = (value: unknown): string[] => Object.keys(value as object).sort();
  const shown = blocks('json').map(text => JSON.parse(text) as Record<string, unknown>);
  for (const example of shown) expect(answers.map(keys)).toContainEqual(keys(example));
  expect(answers[0]).toMatchObject({ openid: environment['OPENID'] });
  for (const verdict of answers.filter(each => keys(each).includes('valid')))
    expect(verdict).toMatchObject({ valid: true });
});

it('runs the program in Python', async () => {
  const stage = await openStage();
  const environment = await environmentOf(stage);
  const [program = ''] = blocks('python');
  const { stdout } = await run('python3', ['-c', program], { env: environment });
  expect(stdout.trim()).toBe(environment['OPENID']);
});

it('lists every operation', () => {
  for (const [operation, route] of Object.entries<Route>(ROUTES)) {
    if (typeof route.access !== 'object' || route.access.scope !== 'session:use') continue;
    expect(guide).toContain(`| \`POST ${route.url}\` | \`${operation}\` |`);
  }
});
