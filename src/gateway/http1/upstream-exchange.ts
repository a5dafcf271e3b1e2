import type { Readable } from 'node:stream';
import type { ResponseHead } from './response-head.ts';

/** A request as it is written to an upstream. */
export interface OutgoingRequest {
  readonly method: string;
  /** The whole head. It holds a credential: never log it. */
  readonly head: string;
  readonly body: Buffer | Readable | undefined;
  /** Length of a body that is a stream; undefined when it goes out in chunks. */
  readonly bodyLength: number | undefined;
}

/** Who is asked to hold the upstream back, to let it go on, or to break off. */
export interface ExchangeCarrier {
  resume(): void;
  /** Ends the exchange; nothing of it is told any more. */
  abort(exchange: UpstreamExchange): void;
}

/** One request to an upstream, told what comes of it. */
export interface UpstreamExchange {
  readonly request: OutgoingRequest;
  /** Whether it has ended, so that it need not be sent any more. */
  readonly over: boolean;
  /** A connection has taken it on. */
  onCarrier(carrier: ExchangeCarrier): void;
  /** The head of the final answer. */
  onHead(head: ResponseHead): void;
  /** Bytes of the answer's body that `onData` was given. */
  readonly received: number;
  /** How many of them, counted from the beginning, are needed no more, so that their memory may be used again. */
  spent(): number;
  /** A piece of the answer's body; false holds the upstream back until `resume`. */
  onData(piece: Buffer): boolean;
  /** The answer is complete. */
  onEnd(): void;
  /** It failed; `began` tells whether any byte of an answer had come. */
  onBroken(error: Error, began: boolean): void;
}
