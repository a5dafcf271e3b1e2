import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { keptLog } from '../../test/support/canary.ts';
import { Secret } from '../base/secret.ts';
import { serverOf } from './database.ts';
import { openPostgresPool } from './postgres-pool.ts';
import { SERVER_TIMEOUTS } from './server-timeouts.ts';

/** A message of the server: its type, its length and what it holds. */
function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const AUTHENTICATED = message('R', Buffer.alloc(4));
const READY = message('Z', Buffer.from('I'));
const ENDED_BY_ADMINISTRATOR = message(
  'E',
  Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'),
);

test('a connection that is ended in the same breath as it is made is that call’s trouble alone', async () => {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, ENDED_BY_ADMINISTRATOR])));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const named = serverOf('postgres', new Secret(`postgres://somebody@127.0.0.1:${port}/any?pool=1`));
  const pool = openPostgresPool(named, keptLog(), SERVER_TIMEOUTS, 'statements');
  onTestFinished(() => pool.end());
  for (let time = 0; time < 3; time += 1) {
    const client = await pool.connect();
    await expect(client.query('select 1', [])).rejects.toThrow();
    client.release();
  }
});
