import { expect, test } from 'vitest';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';

/** Every setting in a schema, with its path. */
function settingsIn(schema: JsonSchema, path = ''): readonly (readonly [string, JsonSchema])[] {
  const { properties = {}, additionalProperties, items } = schema;
  const inner: readonly (readonly [string, JsonSchema])[] = [
    ...Object.entries(properties).map(
      ([name, value]) => [path === '' ? name : `${path}.${name}`, value] as const,
    ),
    ...(typeof additionalProperties === 'object' ? [[`${path}.*`, additionalProperties] as const] : []),
    ...(items === undefined ? [] : [[`${path}[]`, items] as const]),
  ];
  return inner.flatMap(([name, value]) => [[name, value] as const, ...settingsIn(value, name)]);
}

const schema = configJsonSchema();

test('every setting has a description', () => {
  const bare = settingsIn(schema).filter(
    ([name, { description }]) => !name.endsWith(']') && description === undefined,
  );
  expect(bare.map(([name]) => name)).toEqual([]);
});

test('objects take no unknown settings', () => {
  const loose = settingsIn(schema).filter(
    ([, value]) => value.type === 'object' && value.additionalProperties === undefined,
  );
  expect(loose.map(([name]) => name)).toEqual([]);
});

test('no secret has a default, and what has a default need not be written', () => {
  const found = new Map(settingsIn(schema));
  for (const name of ['apps[].secret', 'callers[].key', 's2s.connectCode', 's2s.signKey', 'storage.sealKey'])
    expect(found.get(name)).not.toHaveProperty('default');
  expect(schema.required).toEqual(['storage']);
  expect(found.get('storage')?.required).toEqual(['sealKey']);
  expect(found.get('apps[]')?.required).toEqual(['name', 'platform', 'appid']);
});

test('a reference may stand for a word of a fixed set', () => {
  const { anyOf } = new Map(settingsIn(schema)).get('log.level') ?? {};
  expect(anyOf).toEqual([
    { enum: ['debug', 'info', 'warn', 'error'] },
    { type: 'string', pattern: '\\$\\{' },
  ]);
});
