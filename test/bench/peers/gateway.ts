import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN_KEY, CALLER_KEY } from '../traffic.ts';
import { originOf, type Peer } from './peer.ts';

/** What a gateway is measured with. */
export interface GatewayPeerOptions {
  readonly name: string;
  /** The built command line, a `main.js`. */
  readonly main: string;
  readonly logLevel: 'info' | 'warn';
}

/**
 * `open-bridge serve` as it runs in production: two apps, one caller with a key, an allow-list, the real
 * authority over sealed SQLite, the control API and renewal in the same process.
 */
export function gatewayPeer({ name, main, logLevel }: GatewayPeerOptions): Peer {
  const logs = logLevel === 'info' ? 'a log line per call to a file' : 'no log line per call';
  return {
    name,
    about: `open-bridge serve, every stage on, sealed SQLite, caller key, ${logs}, one process`,
    absent: undefined,
    prepare({ directory, port, leg, upstream }) {
      const config = join(directory, 'open-bridge.json');
      const settings = {
        apps: [
          {
            name: 'shop',
            platform: 'weixin-mp',
            appid: 'wx0000000000000001',
            secret: 'bench-secret-of-the-mini-program',
            default: true,
          },
          {
            name: 'news',
            platform: 'weixin-h5',
            appid: 'wx0000000000000002',
            secret: 'bench-secret-of-official-account',
          },
        ],
        openapi: { enabled: true, allow: ['/wxa/msg_sec_check', '/wxa/getwxadevinfo', '/cgi-bin/*'] },
        callers: [{ name: 'bench', key: CALLER_KEY, apps: ['shop'], allow: ['/wxa/*', '/cgi-bin/media/*'] }],
        storage: { database: 'sqlite:./open-bridge.db', sealKey: randomBytes(32).toString('base64') },
        listen: { control: '127.0.0.1:0', gateway: `127.0.0.1:${port}`, gatewayTls: '127.0.0.1:0' },
        upstream: { weixin: originOf(upstream, leg) },
        admin: { keys: [ADMIN_KEY] },
        log: { level: logLevel },
      };
      writeFileSync(config, JSON.stringify(settings));
      return {
        file: process.execPath,
        args: [main, 'serve', '--config', config],
        env: { NODE_EXTRA_CA_CERTS: upstream.certificate },
        cwd: directory,
      };
    },
  };
}
