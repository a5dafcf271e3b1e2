import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { silentLog } from '../base/log.ts';
import { checkConfig, loadConfig } from './load.ts';
import type { Settings } from './settings.ts';
import { type ConfigWatch, type WatchOptions, watchConfig } from './watch.ts';

const SEAL_KEY = Buffer.alloc(32, 7).toString('base64');
const env = {};

/** Settling takes no time here: what is tested is that events arrive, not how long they are waited for. */
const hastyClock: Clock = { now: () => 0, sleep: () => setImmediate() };

function config(name: string, sealKey = SEAL_KEY): string {
  const app = { name, platform: 'weixin-mp', appid: 'wx01', secret: 'secret' };
  return JSON.stringify({ apps: [app], storage: { sealKey } });
}

/** Things that happen, taken one after the other. */
function createInbox<T>() {
  const arrived: T[] = [];
  const waiting: ((item: T) => void)[] = [];
  return {
    arrived,
    put(item: T) {
      const next = waiting.shift();
      if (next === undefined) arrived.push(item);
      else next(item);
    },
    next(): Promise<T> {
      const item = arrived.shift();
      return item === undefined ? new Promise(resolve => waiting.push(resolve)) : Promise.resolve(item);
    },
  };
}

let folder: string;
let path: string;
let watches: ConfigWatch[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'open-bridge-watch-'));
  path = join(folder, 'open-bridge.json');
  watches = [];
});

afterEach(() => {
  for (const watch of watches) watch.close();
  rmSync(folder, { recursive: true });
});

function start(options: Partial<WatchOptions> = {}) {
  const changes = createInbox<Settings>();
  const faults = createInbox<BridgeError>();
  const looks = createInbox<string>();
  const watch = watchConfig({
    path,
    current: loadConfig({ path, env }),
    load() {
      const check = checkConfig({ path, env });
      looks.put(check.digest);
      return check;
    },
    onChange: settings => changes.put(settings),
    onFault: error => faults.put(error),
    clock: hastyClock,
    log: silentLog,
    ...options,
  });
  watches.push(watch);
  const nameOfNext = async (): Promise<string | undefined> => (await changes.next()).apps[0]?.name;
  return { watch, changes, faults, looks, nameOfNext };
}

function writeAtomically(target: string, text: string): void {
  const draft = join(dirname(target), '.draft');
  writeFileSync(draft, text);
  renameSync(draft, target);
}

describe('watchConfig', () => {
  test('sees the file renamed over, again and again', async () => {
    writeFileSync(path, config('one'));
    const { nameOfNext } = start();
    for (const name of ['two', 'three', 'four']) {
      writeAtomically(path, config(name));
      expect(await nameOfNext()).toBe(name);
    }
  });

  test('sees the file written in place', async () => {
    writeFileSync(path, config('one'));
    const { nameOfNext } = start();
    writeFileSync(path, config('two'));
    expect(await nameOfNext()).toBe('two');
  });

  test('sees a mounted volume swap its ..data link', async () => {
    const publish = (version: string, name: string): void => {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'open-bridge.json'), config(name));
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    publish('..1', 'one');
    symlinkSync(join('..data', 'open-bridge.json'), path);
    const { nameOfNext } = start();
    publish('..2', 'two');
    expect(await nameOfNext()).toBe('two');
    rmSync(join(folder, '..1'), { recursive: true });
    publish('..3', 'three');
    expect(await nameOfNext()).toBe('three');
  });

  test('follows a link into another folder', async () => {
    const elsewhere = join(folder, 'releases', 'current');
    mkdirSync(elsewhere, { recursive: true });
    writeFileSync(join(elsewhere, 'real.json'), config('one'));
    symlinkSync(join(elsewhere, 'real.json'), path);
    const { nameOfNext } = start();
    writeAtomically(join(elsewhere, 'real.json'), config('two'));
    expect(await nameOfNext()).toBe('two');
  });

  test('sees a file it refers to change', async () => {
    mkdirSync(join(folder, 'secrets'));
    writeFileSync(join(folder, 'secrets', 'seal'), SEAL_KEY);
    writeFileSync(path, config('one', `\${file:secrets/seal}`));
    const { changes } = start();
    const next = Buffer.alloc(32, 9).toString('base64');
    writeAtomically(join(folder, 'secrets', 'seal'), next);
    expect((await changes.next()).storage.sealKeys[0]?.reveal()).toBe(next);
  });

  test('takes up a file that a bad version referred to, once it is there', async () => {
    writeFileSync(path, config('one'));
    const { faults, nameOfNext } = start();
    writeAtomically(path, config('two', `\${file:seal}`));
    expect((await faults.next()).message).toContain('there is no such file');
    writeFileSync(join(folder, 'seal'), SEAL_KEY);
    expect(await nameOfNext()).toBe('two');
  });

  test('sees a uni-config-center folder change, also the parts of it that were not there', async () => {
    const centre = join(folder, 'center');
    const uniId = (appid: string): string =>
      JSON.stringify({ 'mp-weixin': { oauth: { weixin: { appid, appsecret: 'secret' } } } });
    const publish = (name: string, text: string): void => {
      mkdirSync(join(centre, name), { recursive: true });
      writeAtomically(join(centre, name, 'config.json'), text);
    };
    publish('uni-id', uniId('wx01'));
    writeFileSync(path, JSON.stringify({ uniConfigCenter: 'center', storage: { sealKey: SEAL_KEY } }));
    const { changes, faults } = start();

    publish('uni-id', uniId('wx02'));
    expect((await changes.next()).apps[0]?.appid).toBe('wx02');

    publish('uni-open-bridge', '{"ipWhiteList":["10.0.0.1"]}');
    expect((await changes.next()).ipWhiteList).toEqual(['10.0.0.1']);

    publish('uni-id', uniId('w x'));
    expect((await faults.next()).message).toContain('center/uni-id/config.json:1:');
    publish('uni-id', uniId('wx03'));
    expect((await changes.next()).apps[0]?.appid).toBe('wx03');

    rmSync(join(centre, 'uni-open-bridge'), { recursive: true });
    expect((await changes.next()).ipWhiteList).toEqual([]);
  });

  test('what is not there yet causes no complaint', () => {
    mkdirSync(join(folder, 'center', 'uni-id'), { recursive: true });
    writeFileSync(join(folder, 'center', 'uni-id', 'config.json'), '{}');
    writeFileSync(path, JSON.stringify({ uniConfigCenter: 'center', storage: { sealKey: SEAL_KEY } }));
    const warnings: string[] = [];
    start({ log: { ...silentLog, warn: (_, message) => void warnings.push(message) } });
    expect(warnings).toEqual([]);
  });

  test('a bad file is reported with all its faults and the old settings stay', async () => {
    writeFileSync(path, config('one'));
    const { changes, faults, nameOfNext } = start();
    writeAtomically(path, '{ "apps": 1, "log": 2 }');
    const error = await faults.next();
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message.split('\n')).toHaveLength(4);
    expect(changes.arrived).toEqual([]);
    writeAtomically(path, config('two'));
    expect(await nameOfNext()).toBe('two');
  });

  test('back to the version in use, nothing is to be done', async () => {
    writeFileSync(path, config('one'));
    const { changes, faults, watch } = start();
    writeAtomically(path, '{}');
    await faults.next();
    writeAtomically(path, config('one'));
    expect(await watch.reload()).toBe('unchanged');
    expect(changes.arrived).toEqual([]);
  });

  test('a touch changes nothing', async () => {
    writeFileSync(path, config('one'));
    const { changes, looks } = start();
    await looks.next();
    const digest = loadConfig({ path, env }).digest;
    utimesSync(path, 1, 1);
    expect(await looks.next()).toBe(digest);
    expect(changes.arrived).toEqual([]);
  });

  test('what changed between loading and watching is not missed', async () => {
    writeFileSync(path, config('one'));
    const current = loadConfig({ path, env });
    writeFileSync(path, config('two'));
    const { nameOfNext } = start({ current });
    expect(await nameOfNext()).toBe('two');
  });

  test('after close nothing is taken', async () => {
    writeFileSync(path, config('one'));
    const { watch, changes, looks } = start();
    await looks.next();
    watch.close();
    writeFileSync(path, config('two'));
    expect(await watch.reload()).toBe('unchanged');
    expect(looks.arrived).toEqual([]);
    expect(changes.arrived).toEqual([]);
  });
});

describe('reload', () => {
  /** A system on which nothing can be watched. */
  const blind = () => {
    throw Object.assign(new Error('no watches left'), { code: 'ENOSPC' });
  };

  test('works where the system cannot watch, which is said once', async () => {
    writeFileSync(path, config('one'));
    const warnings: object[] = [];
    const log: Log = { ...silentLog, warn: fields => void warnings.push(fields) };
    const { watch, nameOfNext } = start({ watch: blind, log });
    expect(await watch.reload()).toBe('unchanged');
    writeFileSync(path, config('two'));
    expect(await watch.reload()).toBe('changed');
    expect(await nameOfNext()).toBe('two');
    expect(warnings.map(fields => (fields as { folder: string }).folder)).toEqual([folder]);
  });

  test('reports a bad file every time it is asked', async () => {
    writeFileSync(path, config('one'));
    const { watch, faults } = start({ watch: blind });
    writeFileSync(path, '{');
    expect(await watch.reload()).toBe('faulty');
    expect(await watch.reload()).toBe('faulty');
    expect(faults.arrived).toHaveLength(2);
  });

  test('settings that could not be applied are tried again', async () => {
    writeFileSync(path, config('one'));
    let broken = true;
    const { watch, faults } = start({
      watch: blind,
      onChange() {
        if (broken) throw new BridgeError('STORE_UNAVAILABLE', 'no room', { hint: 'make room' });
      },
    });
    writeFileSync(path, config('two'));
    expect(await watch.reload()).toBe('faulty');
    expect(await faults.next()).toMatchObject({
      message: 'the new configuration could not be applied: no room',
      hint: 'make room',
    });
    broken = false;
    expect(await watch.reload()).toBe('changed');
  });

  test('two changes are taken one after the other', async () => {
    writeFileSync(path, config('one'));
    const steps: string[] = [];
    const { watch } = start({
      watch: blind,
      async onChange({ apps }) {
        steps.push(`begin ${apps[0]?.name}`);
        await setImmediate();
        steps.push(`end ${apps[0]?.name}`);
      },
    });
    writeFileSync(path, config('two'));
    const first = watch.reload().then(() => writeFileSync(path, config('three')));
    const second = first.then(() => watch.reload());
    await Promise.all([first, second, watch.reload()]);
    expect(steps).toEqual(['begin two', 'end two', 'begin three', 'end three']);
  });
});
