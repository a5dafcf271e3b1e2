import { expect, test } from 'vitest';
import { type BenchOptions, NAMES, readOptions, USAGE } from './options.ts';

function read(...args: string[]): BenchOptions {
  const options = readOptions(args, 'figures.json');
  if (typeof options === 'string') throw new Error(options);
  return options;
}

test.each([
  [[], ['gateway', 'credentials']],
  [['--part', 'credentials'], ['credentials']],
  [
    ['--part', 'credentials', '--part', 'gateway'],
    ['gateway', 'credentials'],
  ],
  [['--only', 'direct,nginx'], ['gateway']],
  [['--only', 'redis-get,http-set'], ['credentials']],
  [
    ['--only', 'gateway,http-set'],
    ['gateway', 'credentials'],
  ],
  [['--only', 'store-postgres'], ['stores']],
  [
    ['--only', 'renewal-sqlite,http-set'],
    ['credentials', 'renewal'],
  ],
  [
    ['--part', 'renewal', '--part', 'stores'],
    ['stores', 'renewal'],
  ],
  [['--against', 'before=../before'], ['gateway']],
  [['--against', 'before=../before', '--part', 'credentials'], ['credentials']],
])('%j measures %j', (args, parts) => {
  expect(read(...args).parts).toEqual(parts);
});

test('fewer rows with --quick, and those that are named in any case', () => {
  expect(read().rows).toEqual([1, 1_000_000, 5_000_000]);
  expect(read('--quick').rows).toEqual([1, 100_000]);
  expect(read('--quick', '--rows', '10,20').rows).toEqual([10, 20]);
});

test('fewer users and apps with --quick, and those that are named in any case', () => {
  expect(read()).toMatchObject({ users: 100_000, apps: 100_000, dueSeconds: 120 });
  expect(read('--quick')).toMatchObject({ users: 20_000, apps: 2000, dueSeconds: 5 });
  const named = ['--users', '10', '--apps', '20', '--due', '0.5'];
  expect(read('--quick', ...named)).toMatchObject({ users: 10, apps: 20, dueSeconds: 0.5 });
});

test('renewal takes one round unless more are asked for', () => {
  expect(read()).toMatchObject({ rounds: 3, renewalRounds: 1 });
  expect(read('--rounds', '2')).toMatchObject({ rounds: 2, renewalRounds: 2 });
});

test('no two parts measure something of the same name', () => {
  const names = Object.values(NAMES).flat();
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  [['--part', 'storage'], 'storage is none of gateway, credentials, stores, renewal'],
  [['--apps', '1.5'], '--apps wants whole numbers'],
  [['--users', '0'], '--users wants a positive number'],
  [['--rows', '1.5'], '--rows wants whole numbers'],
  [['--rows', '0'], '--rows wants a positive number'],
])('%j is refused', (args, message) => {
  expect(() => read(...args)).toThrow(message);
});

test('help is told instead of running', () => {
  expect(readOptions(['--help'], 'figures.json')).toBe(USAGE);
});
