/** A reverse proxy with http-proxy-3 and a fixed token. */
import { readFileSync } from 'node:fs';
import { createServer, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createProxyServer } from 'http-proxy-3';
import { withToken } from '../traffic.ts';
import type { NodeProxySettings } from './node-proxies.ts';

const { port, origin, certificate } = JSON.parse(process.argv[2] ?? '') as NodeProxySettings;
const agent = origin.startsWith('https:')
  ? new HttpsAgent({ keepAlive: true, maxSockets: 256, ca: readFileSync(certificate) })
  : new HttpAgent({ keepAlive: true, maxSockets: 256 });
const proxy = createProxyServer({ target: origin, agent, secure: true, changeOrigin: true });
proxy.on('error', (_error, _req, res) => {
  res?.destroy();
});
createServer((req, res) => {
  req.url = withToken(req.url ?? '/');
  proxy.web(req, res);
}).listen(port, '127.0.0.1', 4096);
