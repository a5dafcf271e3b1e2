/** A reverse proxy with @fastify/http-proxy and a fixed token. */
import { readFileSync } from 'node:fs';
import httpProxy from '@fastify/http-proxy';
import { fastify } from 'fastify';
import { TOKEN } from '../traffic.ts';
import type { NodeProxySettings } from './node-proxies.ts';

const { port, origin, certificate } = JSON.parse(process.argv[2] ?? '') as NodeProxySettings;
const app = fastify({ logger: false, bodyLimit: 64 * 1024 * 1024 });
await app.register(httpProxy, {
  upstream: origin,
  undici: { connections: 256, pipelining: 1, connect: { ca: readFileSync(certificate) } },
  replyOptions: {
    queryString: search =>
      `${search === undefined || search === '' ? '' : `${search}&`}access_token=${TOKEN}`,
  },
});
await app.listen({ port, host: '127.0.0.1', backlog: 4096 });
