import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { freePort } from './free-port.ts';

/** A TCP path to a server that a test can break in all the ways that networks do. */
export interface Wire {
  readonly port: number;
  /** Connections made through it so far. */
  readonly connections: number;
  /** Lets questions through and answers not. */
  mute(): void;
  /** Lets everything through again, on new connections. */
  mend(): Promise<void>;
  /** Breaks all connections at once. */
  cut(): void;
  /** Resolves when the last connection is gone, and whoever had it can know. */
  closed(): Promise<void>;
  /** Breaks all connections and takes no new ones. */
  refuse(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a path to a server on this machine or another. */
export async function openWire(target: { readonly host: string; readonly port: number }): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isMute = false;
  let connections = 0;
  // It is given up and taken again, and must be free then too.
  const port = await freePort();
  let server = await listen();

  async function listen(): Promise<Server> {
    const listening = createServer(near => {
      connections += 1;
      const far = connect(target.port, target.host);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.on('data', chunk => far.write(chunk));
      far.on('data', chunk => {
        if (!isMute) near.write(chunk);
      });
    });
    listening.listen(port, '127.0.0.1');
    await once(listening, 'listening');
    return listening;
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  async function refuse(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  }

  return {
    port,
    get connections() {
      return connections;
    },
    mute() {
      isMute = true;
    },
    async mend() {
      isMute = false;
      if (!server.listening) server = await listen();
    },
    cut,
    async closed() {
      await Promise.all([...sockets].map(socket => once(socket, 'close')));
      // What was sent last is read by the other end in the turns after.
      for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    },
    refuse,
    close: refuse,
  };
}
