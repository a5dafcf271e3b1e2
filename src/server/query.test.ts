import { expect, test } from 'vitest';
import { z } from 'zod';
import { createQueryReader } from './query.ts';

const read = createQueryReader(
  z.strictObject({
    flag: z.boolean().default(false),
    count: z.int().min(1).default(20),
    ratio: z.number().optional(),
    name: z.string().optional(),
  }),
);

test.each<[object, object]>([
  [{}, {}],
  [
    { flag: 'true', count: '5', ratio: '0.5', name: '7' },
    { flag: true, count: 5, ratio: 0.5, name: '7' },
  ],
  [
    { flag: 'false', count: '-3' },
    { flag: false, count: -3 },
  ],
  // What is none stays a text, for the schema to refuse.
  [
    { flag: '1', count: '', ratio: '0x10' },
    { flag: '1', count: '', ratio: '0x10' },
  ],
  [
    { count: '1e9', flag: '' },
    { count: '1e9', flag: '' },
  ],
  [{ count: ['1', '2'] }, { count: ['1', '2'] }],
  [{ unknown: 'true' }, { unknown: 'true' }],
])('%j is read as %j', (query, values) => {
  expect(read(query)).toEqual(values);
});
