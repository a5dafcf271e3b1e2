import type { Clock } from '../../base/clock.ts';
import { Fifo } from './fifo.ts';
import type { Sweep } from './sweep.ts';
import type { ConnectionKeeper, OriginAddress, Trust } from './upstream-connection.ts';
import { ConnectionLost, UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamExchange } from './upstream-exchange.ts';

/**
 * How long an idle connection is kept at most. The platform's servers keep theirs for a minute or more; a
 * shorter time makes it rare to write into one that is just being closed.
 */
const IDLE_MS = 15_000;

/** Where the peer says how long it keeps a connection, ours is given up so much earlier. */
const IDLE_MARGIN_MS = 2000;

/** Longest wait for a connection; the rest of the call's time is left for the answer. */
const CONNECT_MS = 10_000;

/** What all pools share. */
export interface PoolShare {
  readonly clock: Clock;
  readonly sweep: Sweep;
  /** Memory that all connections read into. */
  readonly readBuffer: Buffer;
  /** Most connections of one pool; asked each time. */
  readonly maxConnections: () => number;
}

/** The connections to one origin. */
export interface OriginPool {
  /** The origin as a Host header names it. */
  readonly authority: string;
  /** Sends an exchange on the connection used last, on a new one, or when one becomes free, first come first served. */
  dispatch(exchange: UpstreamExchange): void;
  /** Breaks all connections off and fails what waits. */
  close(): void;
}

/** Makes the pool of an origin, which must be one that `originFault` finds nothing wrong with. */
export function createOriginPool(origin: string, share: PoolShare, trust?: Trust): OriginPool {
  const { clock, sweep, maxConnections } = share;
  const address = addressOf(origin, trust);
  const open = new Set<UpstreamConnection>();
  const idle: UpstreamConnection[] = [];
  const waiting = new Fifo<UpstreamExchange>();
  let closed = false;

  /** The next exchange that somebody still waits for. */
  const nextWaiting = (): UpstreamExchange | undefined => {
    let next = waiting.shift();
    while (next?.over) next = waiting.shift();
    return next;
  };
  const connectFor = (exchange: UpstreamExchange): void => {
    const connection = new UpstreamConnection(keeper);
    open.add(connection);
    sweep.add(connection, clock.now() + CONNECT_MS);
    connection.start(exchange);
  };
  const keeper: ConnectionKeeper = {
    address,
    readBuffer: share.readBuffer,
    session: undefined,
    onBusy(connection) {
      sweep.move(connection, Number.POSITIVE_INFINITY);
    },
    onFree(connection, idleSeconds) {
      const next = nextWaiting();
      const idleMs = idleSeconds === -1 ? IDLE_MS : Math.min(IDLE_MS, idleSeconds * 1000 - IDLE_MARGIN_MS);
      if (next !== undefined) {
        connection.start(next);
      } else if (idleMs <= 0) {
        connection.breakOff(new ConnectionLost('the peer does not keep the connection'));
      } else {
        idle.push(connection);
        sweep.move(connection, clock.now() + idleMs);
      }
    },
    onGone(connection) {
      open.delete(connection);
      sweep.remove(connection);
      const at = idle.indexOf(connection);
      if (at !== -1) idle.splice(at, 1);
      if (closed || open.size >= maxConnections()) return;
      const next = nextWaiting();
      if (next !== undefined) connectFor(next);
    },
  };

  return {
    authority: address.authority,
    dispatch(exchange) {
      const connection = idle.pop();
      if (connection !== undefined) connection.start(exchange);
      else if (open.size < maxConnections()) connectFor(exchange);
      else waiting.push(exchange);
    },
    close() {
      closed = true;
      const error = new ConnectionLost('the gateway is closing');
      for (const connection of [...open]) connection.breakOff(error);
      for (let next = nextWaiting(); next !== undefined; next = nextWaiting()) next.onBroken(error, true);
    },
  };
}

function addressOf(origin: string, trust: Trust | undefined): OriginAddress {
  const { protocol, host, hostname, port } = new URL(origin);
  const secure = protocol === 'https:';
  return {
    authority: host,
    // The brackets of an IPv6 address belong to the URL.
    hostname: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    secure,
    trust,
  };
}
