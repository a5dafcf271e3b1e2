import { z } from 'zod';

/**
 * Reads the texts of a query as the numbers and truth values its schema wants. A text that is none stays
 * one, for the schema to refuse.
 */
export function createQueryReader(schema: z.ZodObject): (query: unknown) => Record<string, unknown> {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', reused: 'inline' });
  const types = new Map(
    Object.entries(properties).map(([name, property]) => [
      name,
      (property as { readonly type?: string }).type,
    ]),
  );
  return query =>
    Object.fromEntries(
      Object.entries(query as Record<string, unknown>).map(([name, value]) => [
        name,
        typeof value === 'string' ? typed(value, types.get(name)) : value,
      ]),
    );
}

function typed(text: string, type: string | undefined): unknown {
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return (type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
