import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Gateway } from '../gateway.ts';
import type { Sweep } from './sweep.ts';

/** What all connections of a listener share. */
export interface ServerShare {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly log: Log;
  /** Memory that all connections read into; what is kept longer than a read is copied out of it. */
  readonly readBuffer: Buffer;
  readonly sweep: Sweep;
  readonly date: () => string;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** What tells a caller that its connection is kept, and for how long. */
  readonly keepAliveLines: string;
  /** Whether answers tell callers that their connection ends with them. */
  draining: boolean;
  /** Whether the listener is closing, so that no connection is kept. */
  closing: boolean;
}
