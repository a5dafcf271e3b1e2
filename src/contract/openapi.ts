import { z } from 'zod';
import { errorBody } from './errors.ts';
import { ROUTES, type Route } from './routes.ts';

const ADMIN = { admin: [] };
const CALLER = { caller: [] };

/** The OpenAPI 3.1 document of the control API, made from the same schemas that check its requests. */
export function openapiDocument(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, route] of Object.entries<Route>(ROUTES)) {
    paths[route.url] ??= {};
    Object.assign(paths[route.url] ?? {}, { [route.method.toLowerCase()]: operation(operationId, route) });
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
    summary: scope === undefined ? route.summary : `${route.summary} (scope ${scope})`,
    ...(route.access === 'public'
      ? { security: [] }
      : { security: scope === undefined ? [ADMIN] : [ADMIN, CALLER] }),
    ...(route.body && { requestBody: { required: true, content: json(route.body, 'input') } }),
    responses: {
      200: { description: 'done', content: json(route.answer, 'output') },
      default: { description: 'refused; the message says what to do', content: json(errorBody, 'output') },
    },
  };
}

function json(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...plain } = z.toJSONSchema(schema, { io, reused: 'inline' });
  return { 'application/json': { schema: plain } };
}
