import type { AddressInfo } from 'node:net';
import { connect, createServer, Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { adoptSocket } from './adopt-socket.ts';

test('an accepted connection is read into the memory given, and its server counts it on', async () => {
  const memory = Buffer.alloc(1000);
  let received = '';
  const server = createServer(accepted => {
    const socket = adoptSocket(accepted, {
      buffer: () => memory,
      callback(size, bytes) {
        expect(bytes).toBe(memory);
        received += memory.toString('latin1', 0, size);
        socket?.write('pong');
        return true;
      },
    });
    expect(socket).toBeInstanceOf(Socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) =>
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  const caller = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void caller.destroy());
  let answers = '';
  caller.on('data', bytes => {
    answers += bytes.toString();
  });
  caller.write('ping');
  await expect.poll(() => answers).toBe('pong');
  expect(received).toBe('ping');
  expect(await connections()).toBe(1);

  let closed = false;
  server.close(() => {
    closed = true;
  });
  await new Promise(resolve => setImmediate(resolve));
  expect(closed).toBe(false);
  caller.end();
  await expect.poll(() => closed).toBe(true);
});

test('a socket without a connection is left as it is', () => {
  const socket = new Socket();
  expect(adoptSocket(socket, { buffer: Buffer.alloc(1), callback: () => true })).toBeUndefined();
});
