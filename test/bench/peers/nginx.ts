import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../processes.ts';
import { TOKEN } from '../traffic.ts';
import { nginxPreamble } from '../upstream/nginx.ts';
import type { Peer } from './peer.ts';

/** nginx as a plain reverse proxy with a token written into its configuration. */
export function nginxPeer(): Peer {
  const file = findProgram('nginx');
  return {
    name: 'nginx',
    about: 'proxy_pass with a fixed token, one worker, upstream keep-alive, no log, request buffering off',
    absent: file === undefined ? 'nginx is not installed' : undefined,
    prepare({ directory, port, leg, upstream }) {
      const config = join(directory, 'nginx.conf');
      const tls =
        leg === 'plain'
          ? ''
          : `
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${upstream.certificate};
      proxy_ssl_name localhost;`;
      writeFileSync(
        config,
        `${nginxPreamble(directory)}
  upstream platform { server 127.0.0.1:${upstream.ports[leg]}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      set $args access_token=${TOKEN}&$args;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_pass ${leg === 'tls' ? 'https' : 'http'}://platform;${tls}
    }
  }
}
`,
      );
      return {
        file: file ?? 'nginx',
        args: ['-p', directory, '-c', config, '-e', join(directory, 'errors')],
      };
    },
  };
}
