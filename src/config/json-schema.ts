import * as z from 'zod';
import { configSchema } from './schema.ts';

/** The parts of a JSON Schema this folder looks at. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly [keyword: string]: unknown;
}

/**
 * The JSON Schema (draft 2020-12) of the configuration file as people write it, for editors: before
 * interpolation and with defaults left out.
 */
export function configJsonSchema(): JsonSchema {
  const generated = z.toJSONSchema(configSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // A reference may stand for a word of a fixed set too, and an editor must not call that wrong.
      if (jsonSchema.type === 'string' && jsonSchema.enum !== undefined) {
        jsonSchema.anyOf = [{ enum: jsonSchema.enum }, { type: 'string', pattern: '\\$\\{' }];
        delete jsonSchema.type;
        delete jsonSchema.enum;
      }
      // `prefault({})` shows as a default that tells the reader nothing.
      const { default: value } = jsonSchema;
      if (jsonSchema.type === 'object' && Object.keys(value ?? {}).length === 0) delete jsonSchema.default;
    },
  });
  return { ...generated, title: 'open-bridge.json' } as JsonSchema;
}
