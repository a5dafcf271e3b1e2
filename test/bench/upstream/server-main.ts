/** The upstream where there is no nginx: answers fixed bytes and looks at as little of a request as it can. */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { CertificateFiles } from '../certificate.ts';
import { LARGE_BYTES, LARGE_GET, SMALL_ANSWER, TICKET_ANSWER, TOKEN_ANSWER } from '../traffic.ts';

interface ServerSettings {
  readonly ports: { readonly plain: number; readonly tls: number };
  readonly certificate: CertificateFiles;
}

const answer = (status: string, body: string, type = 'application/json'): Buffer =>
  Buffer.from(
    `HTTP/1.1 ${status}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
const small = answer('200 OK', SMALL_ANSWER);
const token = answer('200 OK', TOKEN_ANSWER);
const ticket = answer('200 OK', TICKET_ANSWER);
const refused = answer('401 Unauthorized', '');
const large = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: ${LARGE_BYTES}\r\n\r\n`),
  Buffer.alloc(LARGE_BYTES, 'x'),
]);

const answerTo = (head: string): Buffer => {
  const target = head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'));
  if (target.startsWith('/cgi-bin/stable_token')) return token;
  if (target.startsWith('/cgi-bin/ticket/getticket')) return ticket;
  if (!target.includes('access_token=')) return refused;
  return target.startsWith(LARGE_GET) ? large : small;
};

const serve = (socket: Socket): void => {
  /** Bytes of a head that is not whole yet. */
  let pending = '';
  /** What a body that is being read away has left, and its answer. */
  let left = 0;
  let chunked = false;
  let owed: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    if (left > 0) {
      left -= chunk.length;
    } else if (chunked) {
      if (chunk.toString('latin1', Math.max(0, chunk.length - 5)) === '0\r\n\r\n') chunked = false;
    } else {
      pending += chunk.toString('latin1');
      const end = pending.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = pending.slice(0, end);
      const body = pending.length - end - 4;
      left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0) - body;
      chunked = /\r\ntransfer-encoding: *chunked/i.test(head) && !pending.endsWith('0\r\n\r\n');
      pending = '';
      owed = answerTo(head);
    }
    if (left > 0 || chunked || owed === undefined) return;
    socket.write(owed);
    owed = undefined;
  });
};

const { ports, certificate } = JSON.parse(process.argv[2] ?? '') as ServerSettings;
createServer(serve).listen(ports.plain, '127.0.0.1', 4096);
createTlsServer(
  { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) },
  serve,
).listen(ports.tls, '127.0.0.1');
