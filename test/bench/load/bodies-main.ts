/** Moves large bodies one after the other over two connections, and prints how fast that went. */
import type { Socket } from 'node:net';
import { LARGE_BYTES } from '../traffic.ts';
import { openSocket, requestBytes, type Target } from './connection.ts';
import { monotonicMs } from './metronome.ts';

/** What the generator is told. */
export interface BodiesSettings extends Target {
  readonly direction: 'request' | 'response';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
}

/** What the generator prints. */
export interface BodiesResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly failed: number;
}

const CONNECTIONS = 2;

/** Sends one request and reads its answer away; gives the status. */
function exchange(socket: Socket, head: Buffer, body: Buffer | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    let status = 0;
    let left = -1;
    const onData = (chunk: Buffer): void => {
      if (left === -1) {
        text += chunk.toString('latin1');
        const end = text.indexOf('\r\n\r\n');
        if (end === -1) return;
        const answer = text.slice(0, end);
        status = Number(answer.slice(9, 12));
        left = Number(/\r\ncontent-length: *(\d+)/i.exec(answer)?.[1]) - (text.length - end - 4);
      } else {
        left -= chunk.length;
      }
      if (left > 0) return;
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve(status);
    };
    const onClose = (): void => reject(new Error('the connection broke off'));
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.write(head);
    if (body !== undefined) socket.write(body);
  });
}

async function main(settings: BodiesSettings): Promise<BodiesResult> {
  const { direction, path, headers, count } = settings;
  const uploads = direction === 'request';
  const head = uploads
    ? requestBytes('POST', path, {
        ...headers,
        'content-type': 'application/octet-stream',
        'content-length': String(LARGE_BYTES),
      })
    : requestBytes('GET', path, headers);
  const body = uploads ? Buffer.alloc(LARGE_BYTES, 'x') : undefined;
  let begun = 0;
  let failed = 0;
  const drive = async (): Promise<void> => {
    const socket = await openSocket(settings);
    while (begun < count) {
      begun += 1;
      if ((await exchange(socket, head, body)) !== 200) failed += 1;
    }
    socket.destroy();
  };
  const startedAt = monotonicMs();
  await Promise.all(Array.from({ length: CONNECTIONS }, drive));
  return { bytes: count * LARGE_BYTES, failed, seconds: (monotonicMs() - startedAt) / 1000 };
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as BodiesSettings)));
