import type { CertificateFiles } from '../certificate.ts';
import { LARGE_GET, LARGE_POST, SMALL_ANSWER, TICKET_ANSWER, TOKEN_ANSWER } from '../traffic.ts';

/** What the upstream's configuration depends on. */
export interface NginxUpstreamOptions {
  readonly directory: string;
  readonly ports: { readonly plain: number; readonly tls: number };
  /** A port for nginx to call itself on. */
  readonly inner: number;
  readonly certificate: CertificateFiles;
}

/** What every nginx of the benchmark begins with: one worker, nothing written but errors. */
export function nginxPreamble(directory: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `  ${kind}_temp_path ${directory}/tmp-${kind};`,
  );
  return `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
${temporary.join('\n')}`;
}

/**
 * An upstream that answers from its configuration. Calls without a token are refused, so that a peer that
 * forgets it is found out. An upload is read whole by handing it to nginx's own request buffer.
 */
export function nginxUpstreamConfig({ directory, ports, inner, certificate }: NginxUpstreamOptions): string {
  return `${nginxPreamble(directory)}
  sendfile on;
  tcp_nopush on;
  default_type application/json;
  upstream self { server 127.0.0.1:${inner}; keepalive 16; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${inner}; location / { return 200 '${SMALL_ANSWER}'; } }
  server {
    listen 127.0.0.1:${ports.plain} backlog=4096;
    listen 127.0.0.1:${ports.tls} ssl backlog=4096;
    ssl_certificate ${certificate.certificate};
    ssl_certificate_key ${certificate.key};
    ssl_session_cache shared:TLS:1m;
    location = /cgi-bin/stable_token { return 200 '${TOKEN_ANSWER}'; }
    location = /cgi-bin/ticket/getticket { return 200 '${TICKET_ANSWER}'; }
    location = ${LARGE_GET} {
      if ($arg_access_token = "") { return 401; }
      default_type image/jpeg;
      alias ${directory}/large;
    }
    location = ${LARGE_POST} {
      if ($arg_access_token = "") { return 401; }
      client_body_buffer_size 33m;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Connection "";
      proxy_http_version 1.1;
      proxy_pass http://self;
    }
    location / {
      if ($arg_access_token = "") { return 401; }
      return 200 '${SMALL_ANSWER}';
    }
  }
}
`;
}
