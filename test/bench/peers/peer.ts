import type { Command } from '../processes.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** Which of the upstream's two ports a peer forwards to. */
export type Leg = 'plain' | 'tls';

/** What a peer gets to prepare a process with. */
export interface PeerSetup {
  /** An empty folder of its own. */
  readonly directory: string;
  /** The port to listen on. */
  readonly port: number;
  readonly leg: Leg;
  readonly upstream: Upstream;
}

/** The program to run, without what the benchmark itself decides. */
export type PeerCommand = Omit<Command, 'core' | 'logFile'>;

/** One way from the load generator to the upstream. */
export interface Peer {
  readonly name: string;
  /** What it is and how it is set, for the report. */
  readonly about: string;
  /** Why it cannot be measured here; undefined when it can. */
  readonly absent: string | undefined;
  /** Writes the files it needs and says how it is started; undefined when there is no process between. */
  readonly prepare: ((setup: PeerSetup) => PeerCommand) | undefined;
}

/** Name of the peer that is no process: calls go to the upstream itself. */
export const DIRECT = 'direct';

export const direct: Peer = {
  name: DIRECT,
  about: 'no process between; the caller brings the token',
  absent: undefined,
  prepare: undefined,
};

/** Origin of the upstream as a peer on that leg sees it. */
export function originOf(upstream: Upstream, leg: Leg): string {
  return `${leg === 'tls' ? 'https' : 'http'}://127.0.0.1:${upstream.ports[leg]}`;
}
