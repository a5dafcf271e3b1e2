import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Connection, openConnection, requestBytes } from './connection.ts';

const REQUEST = requestBytes('GET', '/', {});
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(onRequest: (socket: Socket) => void): Promise<{ port: number; stop(): void }> {
  const server = createServer(socket => socket.on('error', () => {}).on('data', () => onRequest(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = (): void => void server.close();
  closing.push(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

const ask = (connection: Connection): Promise<string> =>
  new Promise(resolve => connection.send(REQUEST, (status, body) => resolve(`${status} ${body}`)));

describe('a connection of the load generators', () => {
  it('is opened again after its server closed it, and ends every request', async () => {
    const sockets: Socket[] = [];
    const { port, stop } = await serve(socket => {
      sockets.push(socket);
      socket.end(ANSWER);
    });
    const connection = await openConnection({ port, tls: false });
    closing.push(() => connection.close());
    for (let call = 0; call < 2; call += 1) {
      expect(await ask(connection)).toBe('200 ok');
      await once(sockets[call] as Socket, 'close');
    }
    expect(new Set(sockets).size).toBe(2);
    stop();
    expect(await ask(connection)).toBe('0 ');
  });

  it('fails a request whose connection breaks before the answer, once', async () => {
    const { port } = await serve(socket => socket.destroy());
    const connection = await openConnection({ port, tls: false });
    closing.push(() => connection.close());
    expect(await ask(connection)).toBe('0 ');
    expect(await ask(connection)).toBe('0 ');
  });

  it('keeps its socket while it is used', async () => {
    const sockets = new Set<Socket>();
    const { port } = await serve(socket => {
      sockets.add(socket);
      socket.write(ANSWER);
    });
    const connection = await openConnection({ port, tls: false });
    closing.push(() => connection.close());
    for (let call = 0; call < 5; call += 1) expect(await ask(connection)).toBe('200 ok');
    expect(sockets.size).toBe(1);
  });
});
