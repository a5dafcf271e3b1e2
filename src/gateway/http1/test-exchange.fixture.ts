import type { Readable } from 'node:stream';
import type { ResponseHead } from './response-head.ts';
import type { ExchangeCarrier, OutgoingRequest, UpstreamExchange } from './upstream-exchange.ts';
import { writeRequestHead } from './write-request-head.ts';

/** An exchange that keeps what it is told. */
export class TestExchange implements UpstreamExchange {
  readonly request: OutgoingRequest;
  over = false;
  carrier: ExchangeCarrier | undefined;
  head: ResponseHead | undefined;
  /** Kept as they came, so that memory that is used again would show. */
  readonly pieces: Buffer[] = [];
  error: (Error & { readonly code?: string }) | undefined;
  began: boolean | undefined;
  flows = true;
  received = 0;
  readonly settled: Promise<void>;
  #settle: () => void = () => {};

  constructor(
    change: { method?: string; target?: string; body?: Buffer | Readable; bodyLength?: number } = {},
  ) {
    const { method = 'GET', target = '/', body, bodyLength } = change;
    const framing = Buffer.isBuffer(body)
      ? body.length
      : body === undefined
        ? 'none'
        : (bodyLength ?? 'chunked');
    const head = writeRequestHead({ method, target, host: 'up', headers: [], framing });
    this.request = { method, head, body, bodyLength };
    this.settled = new Promise(resolve => {
      this.#settle = resolve;
    });
  }

  onCarrier(carrier: ExchangeCarrier): void {
    this.carrier = carrier;
  }

  onHead(head: ResponseHead): void {
    this.head = head;
  }

  onData(piece: Buffer): boolean {
    this.pieces.push(piece);
    this.received += piece.length;
    return this.flows;
  }

  /** These keep every piece. */
  spent(): number {
    return 0;
  }

  onEnd(): void {
    this.over = true;
    this.#settle();
  }

  onBroken(error: Error, began: boolean): void {
    this.over = true;
    this.error = error;
    this.began = began;
    this.#settle();
  }

  abort(): void {
    this.over = true;
    this.carrier?.abort(this);
  }

  get body(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get text(): string {
    return this.body.toString('latin1');
  }
}
