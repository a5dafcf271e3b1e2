import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultyConfig } from './commands.ts';
import { APPS, type Stage } from './stage.ts';

export const REFUSED = 'the changed configuration cannot be used';
const TAKEN = 'configuration reloaded';
/** After a faulty one, when the file is as before. */
export const IN_USE = 'the configuration is again the one in use';

/** Gives the running bridge another file; resolves when it has said what it thinks of it. */
export async function rewrite(
  { folder, configPath, bridge }: Stage,
  text: string,
  says: string,
): Promise<void> {
  const before = bridge.output().split(says).length - 1;
  // In one step, or the bridge would see half of it.
  writeFileSync(join(folder, 'draft.json'), text);
  renameSync(join(folder, 'draft.json'), configPath);
  bridge.signal('SIGHUP');
  await bridge.printed(says, before + 1);
}

/** Runs the bridge with another configuration from now on. */
export function reload(stage: Stage, change: object): Promise<void> {
  return rewrite(stage, JSON.stringify({ ...stage.config, ...change }), TAKEN);
}

/** Changes the file of the running bridge: to faulty ones with secrets in wrong places, and back with a new key. */
export async function driveReloads(stage: Stage): Promise<void> {
  const { planted, config, http, control, gateway, keys } = stage;
  const misplaced = planted.make('misplaced', 'secret in a faulty reload');
  await rewrite(stage, JSON.stringify(faultyConfig(config, misplaced)), REFUSED);
  await rewrite(stage, `{ "apps": [ { "secret": "${misplaced}", "name": ${misplaced} } ] `, REFUSED);
  const callers = config['callers'] as readonly object[];
  const key = planted.make('key', 'key after a reload');
  await reload(stage, { callers: [...callers, { name: 'later', key }] });
  await http.ask(control, { target: '/v1/apps', headers: { 'x-bridge-key': key } });
  await driveEnd(stage, callers);
  await reload(stage, { openapi: { enabled: false } });
  await http.ask(gateway, { target: '/wxa/getwxadevinfo', headers: { 'x-bridge-key': keys.orders } });
  await reload(stage, {});
}

/** Ends a caller that holds a virtual token: its key and the token are refused from then on. */
async function driveEnd(stage: Stage, callers: readonly object[]): Promise<void> {
  const { planted, http, gateway } = stage;
  const key = planted.make('key', 'key of a caller that ends');
  const caller = { name: 'ending', key, tokens: 'virtual', scopes: ['call', 'credential:read'] };
  await reload(stage, { callers: [...callers, caller] });
  const asSdk = { grant_type: 'client_credential', appid: APPS[0].appid, secret: key };
  const given = { method: 'POST', target: '/cgi-bin/stable_token', body: asSdk };
  const { json, text } = await http.ask(gateway, { ...given, may: ['virtual-token'] });
  const token = String(json['access_token']);
  if (!token.startsWith('OBV1')) throw new Error(`no virtual token: ${text}`);
  planted.add('virtual-token', 'virtual token of a caller that ended', token.slice(-22));
  await reload(stage, { callers: [...callers, { ...caller, expires: '2020-01-01T00:00:00Z' }] });
  for (const headers of [{}, { 'x-bridge-key': key }] as Record<string, string>[])
    await http.ask(gateway, { target: `/wxa/getwxadevinfo?access_token=${token}`, headers });
  await http.ask(gateway, given);
}

/** Starts that come to nothing, each with a secret near the fault. */
export async function driveBadStarts({ folder, planted, config, processes, backend }: Stage): Promise<void> {
  const misplaced = planted.make('misplaced', 'secret in a start that fails');
  const otherKey = Buffer.from(planted.make('seal-key', 'other seal key', 32)).toString('base64');
  const storage = config['storage'] as object;
  const withStorage = (change: object): string =>
    JSON.stringify({ ...config, storage: { ...storage, ...change } });
  const starts = {
    // Says SEAL_BROKEN in words.
    'start-other-key.json': [withStorage({ sealKey: otherKey }), 'sealed with keys that are not configured'],
    'start-no-store.json': [withStorage({ database: backend.unusable }), 'open-bridge: '],
    'start-faulty.json': [JSON.stringify(faultyConfig(config, misplaced)), 'faults:'],
  } as const;
  planted.add('seal-key', 'other seal key in base64', otherKey);
  await Promise.all(
    Object.entries(starts).map(async ([name, [text, says]]) => {
      writeFileSync(join(folder, name), text);
      const { code, output } = await processes.run('serve', '--config', name);
      if (code !== 1 || !output.includes(says))
        throw new Error(`serve with ${name} ends with ${code}: ${output}`);
    }),
  );
}
