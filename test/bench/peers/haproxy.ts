import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../processes.ts';
import { TOKEN } from '../traffic.ts';
import type { Peer } from './peer.ts';

/** HAProxy with a token written into its configuration. */
export function haproxyPeer(): Peer {
  const file = findProgram('haproxy');
  return {
    name: 'haproxy',
    about: 'set-query with a fixed token, one thread, http-reuse always, no log',
    absent: file === undefined ? 'haproxy is not installed' : undefined,
    prepare({ directory, port, leg, upstream }) {
      const config = join(directory, 'haproxy.cfg');
      const tls =
        leg === 'plain' ? '' : ` ssl verify required verifyhost localhost ca-file ${upstream.certificate}`;
      writeFileSync(
        config,
        `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend callers
  bind 127.0.0.1:${port}
  http-request set-query access_token=${TOKEN}&%[query]
  default_backend platform
backend platform
  server platform 127.0.0.1:${upstream.ports[leg]}${tls}
`,
      );
      return { file: file ?? 'haproxy', args: ['-db', '-q', '-f', config] };
    },
  };
}
