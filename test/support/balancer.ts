import { get } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Names of the ports that are balanced, and the port of each. */
export type Ports = Readonly<Record<string, number>>;

/** A node behind a balancer. */
export interface Backend {
  /** Origin of the control API, where /readyz is. */
  readonly control: string;
  readonly ports: Ports;
}

/**
 * What every balancer does and no more: it asks each node's /readyz, gives new connections to nodes that are
 * ready, in turn, and lets the others be. It repeats nothing and looks into nothing.
 */
export interface Balancer {
  readonly ports: Ports;
  add(backend: Backend): void;
  remove(backend: Backend): void;
  isReady(backend: Backend): boolean;
  /** Connections that came while no node was ready, or that no node took. */
  readonly refused: number;
  close(): Promise<void>;
}

const PROBE_MS = 100;
/** A machine that does much else answers late, which says nothing of the node. */
const PROBE_PATIENCE_MS = 10_000;

/** Starts a balancer with a port of its own for each name. */
export async function startBalancer(names: readonly string[]): Promise<Balancer> {
  const backends = new Map<Backend, { ready: boolean; timer: NodeJS.Timeout | undefined }>();
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  let turn = 0;
  let refused = 0;

  function probe(backend: Backend): void {
    const state = backends.get(backend);
    if (state === undefined) return;
    const settle = (ready: boolean): void => {
      state.ready = ready;
      if (backends.has(backend)) state.timer = setTimeout(probe, PROBE_MS, backend);
    };
    const asking = get(`${backend.control}/readyz`, { agent: false, timeout: PROBE_PATIENCE_MS }, answer => {
      answer.resume();
      settle(answer.statusCode === 200);
    });
    asking.once('timeout', () => asking.destroy(new Error('late')));
    asking.once('error', () => settle(false));
  }

  function track(socket: Socket): void {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }

  function pass(name: string, client: Socket): void {
    track(client);
    const ready = [...backends].filter(([, state]) => state.ready);
    turn += 1;
    const port = ready[turn % ready.length]?.[0].ports[name];
    if (port === undefined) {
      refused += 1;
      client.resetAndDestroy();
      return;
    }
    const node = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    track(node);
    node.once('error', () => {
      if (node.connecting || node.bytesWritten === 0) refused += 1;
    });
    for (const [from, to] of [
      [client, node],
      [node, client],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => to.destroySoon());
    }
  }

  const ports: Record<string, number> = {};
  for (const name of names) {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, client => pass(name, client));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    ports[name] = (server.address() as AddressInfo).port;
  }

  return {
    ports,
    add(backend) {
      backends.set(backend, { ready: false, timer: undefined });
      probe(backend);
    },
    remove(backend) {
      clearTimeout(backends.get(backend)?.timer);
      backends.delete(backend);
    },
    isReady: backend => backends.get(backend)?.ready === true,
    get refused() {
      return refused;
    },
    async close() {
      for (const { timer } of backends.values()) clearTimeout(timer);
      backends.clear();
      const closed = servers.map(server => new Promise(resolve => server.close(resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}
