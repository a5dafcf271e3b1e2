import { openSocket } from '../load/connection.ts';

/** A connection to Redis with one command under way at a time, understanding just enough of RESP2. */
export interface RespConnection {
  /** Resolves to the reply: a text, or null for none. Rejects with the error that Redis gave. */
  ask(...command: readonly string[]): Promise<string | null>;
  close(): void;
}

/** Opens a connection to Redis on loopback. */
export async function openResp(port: number): Promise<RespConnection> {
  const socket = await openSocket({ port, tls: false });
  let pending = '';
  let waiting: PromiseWithResolvers<string | null> | undefined;
  const settle = (end: (reply: PromiseWithResolvers<string | null>) => void): void => {
    const reply = waiting;
    waiting = undefined;
    pending = '';
    if (reply !== undefined) end(reply);
  };
  socket.on('data', (chunk: Buffer) => {
    pending += chunk.toString('latin1');
    const end = pending.indexOf('\r\n');
    if (end === -1) return;
    const head = pending.slice(1, end);
    if (pending.startsWith('-')) settle(reply => reply.reject(new Error(`Redis says ${head}`)));
    else if (!pending.startsWith('$')) settle(reply => reply.resolve(head));
    else if (head === '-1') settle(reply => reply.resolve(null));
    else {
      const text = pending.slice(end + 2);
      if (text.length >= Number(head) + 2) settle(reply => reply.resolve(text.slice(0, -2)));
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => settle(reply => reply.reject(new Error('Redis closed the connection'))));
  return {
    ask(...command) {
      waiting = Promise.withResolvers();
      let text = `*${command.length}\r\n`;
      for (const part of command) text += `$${part.length}\r\n${part}\r\n`;
      socket.write(text, 'latin1');
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}
