import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import type { Leg, Peer } from './peers/peer.ts';
import type { Processes, Running } from './processes.ts';
import { untilAnswers } from './processes.ts';
import { HEADERS, SMALL_GET, withToken } from './traffic.ts';
import type { Upstream } from './upstream/upstream.ts';

/** A peer with its processes up: one that forwards in plain text, one that forwards over TLS. */
export interface Contender {
  readonly name: string;
  readonly ports: Readonly<Record<Leg, number>>;
  /** Undefined for the peer that is no process. */
  readonly pids: Readonly<Record<Leg, number>> | undefined;
  /** The path to ask for, with the token in it if nobody adds it on the way. */
  readonly pathFor: (path: string) => string;
}

/** What contenders are started with. */
export interface ContenderOptions {
  readonly processes: Processes;
  readonly directory: string;
  readonly upstream: Upstream;
  readonly core: number | undefined;
}

let instances = 0;

/** Starts one process of a peer and waits for its first 200; gives the time that took. */
async function startInstance(
  peer: Peer,
  leg: Leg,
  { processes, directory, upstream, core }: ContenderOptions,
): Promise<{ readonly running: Running; readonly port: number; readonly tookMs: number }> {
  if (peer.prepare === undefined) throw new TypeError(`${peer.name} is no process`);
  instances += 1;
  const own = join(directory, `${instances}-${peer.name}`);
  mkdirSync(own);
  const port = await freePort();
  const command = peer.prepare({ directory: own, port, leg, upstream });
  const startedAt = performance.now();
  const running = processes.start({ ...command, core, logFile: join(own, 'log') });
  try {
    await untilAnswers(port, SMALL_GET, HEADERS);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return { running, port, tookMs: performance.now() - startedAt };
}

/** Starts both processes of a peer. */
export async function startContender(peer: Peer, options: ContenderOptions): Promise<Contender> {
  if (peer.prepare === undefined) {
    return { name: peer.name, ports: options.upstream.ports, pids: undefined, pathFor: withToken };
  }
  const plain = await startInstance(peer, 'plain', options);
  const tls = await startInstance(peer, 'tls', options);
  return {
    name: peer.name,
    ports: { plain: plain.port, tls: tls.port },
    pids: { plain: plain.running.pid, tls: tls.running.pid },
    pathFor: path => path,
  };
}

/** How long a new process with an empty folder takes until its first 200, in milliseconds. */
export async function timeStart(peer: Peer, options: ContenderOptions): Promise<number> {
  const { running, tookMs } = await startInstance(peer, 'plain', options);
  await running.stop();
  return tookMs;
}
