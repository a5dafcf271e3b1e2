import { createRequire } from 'node:module';

// An import of this module evaluates everything it exports, its WebSocket included, for which Node.js loads
// the HTTP client behind its fetch: 2 MiB that nobody here uses.
const http = createRequire(import.meta.url)('node:http') as typeof import('node:http');

/** The registered methods of HTTP. */
export const METHODS: readonly string[] = http.METHODS;

/** Reason phrases by status. */
export const STATUS_CODES: Readonly<Record<number, string | undefined>> = http.STATUS_CODES;
