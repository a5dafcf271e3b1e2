import { z } from 'zod';
import { errorBody } from './errors.ts';
import { ROUTES, type Route } from './routes.ts';

const ADMIN = { admin: [] };
const CALLER = { caller: [] };

/** The OpenAPI 3.1 document of the control API, made from the same schemas that check its requests. */
export function openapiDocument(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, route] of Object.entries<Route>(ROUTES)) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    Object.assign(paths[path] ?? {}, { [route.method.toLowerCase()]: operation(operationId, route) });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'open-bridge control API',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: {
        admin: { type: 'http', scheme: 'bearer', description: 'an admin key' },
        caller: {
          type: 'apiKey',
          in: 'header',
          name: 'x-bridge-key',
          description: 'a caller key with the scope named in the summary',
        },
      },
    },
  };
}

function operation(operationId: string, route: Route): Record<string, unknown> {
  const scope = typeof route.access === 'object' ? route.access.scope : undefined;
  return {
    operationId,
    tags: [groupOf(route)],
    summary: scope === undefined ? route.summary : `${route.summary} (scope ${scope})`,
    ...(route.access === 'public'
      ? { security: [] }
      : { security: scope === undefined ? [ADMIN] : [ADMIN, CALLER] }),
    ...((route.params || route.query) && {
      parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    }),
    ...(route.body && { requestBody: { required: true, content: content(route.body, 'input') } }),
    responses: {
      200: { description: 'done', content: content(route.answer, 'output', route.text) },
      ...(route.begins && { 202: { description: 'begun', content: content(route.answer, 'output') } }),
      default: { description: 'refused; the message says what to do', content: content(errorBody, 'output') },
    },
  };
}

/** The noun behind `/v1`, under which viewers of the document put an endpoint. */
function groupOf({ url }: Route): string {
  return /^\/v1\/([^/]+)/.exec(url)?.[1] ?? 'process';
}

function parameters(schema: z.ZodObject | undefined, place: 'path' | 'query'): unknown[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', reused: 'inline' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...plain } = property as { readonly description?: string };
    return {
      name,
      in: place,
      required: required.includes(name),
      ...(description && { description }),
      schema: plain,
    };
  });
}

function content(
  schema: z.ZodType,
  io: 'input' | 'output',
  mediaType = 'application/json',
): Record<string, unknown> {
  const { $schema: _dialect, ...plain } = z.toJSONSchema(schema, { io, reused: 'inline' });
  return { [mediaType]: { schema: plain } };
}
