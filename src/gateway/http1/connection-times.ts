import { DEAD_SOCKET_MS, FIRST_REQUEST_MS, LINGER_MS } from '../listener.ts';
import type { ServerShare } from './server-share.ts';
import type { Timed } from './sweep.ts';

/** How long a caller's connection may stay as it is. A class, as there is one for each connection. */
export class ConnectionTimes implements Timed {
  dueAt = 0;
  sweptAt = -1;

  readonly #share: ServerShare;
  readonly #onDue: () => void;
  /** Until when the request under way must have arrived; 0 while none has begun. */
  #arrivesBy = 0;

  /** `onDue` is called when a time has passed. */
  constructor(share: ServerShare, onDue: () => void) {
    this.#share = share;
    this.#onDue = onDue;
    share.sweep.add(this, share.clock.now() + share.headersTimeoutMs);
  }

  onDue(): void {
    this.#onDue();
  }

  /** Whether the time that has passed is that of a request which has not arrived. */
  get isRequestLate(): boolean {
    return this.#arrivesBy <= this.dueAt;
  }

  /** Part of a head is here. It must be complete in time, however often bytes of it come. */
  awaitHead(): void {
    if (this.#arrivesBy !== 0) return;
    this.#arrivesBy = this.#share.clock.now() + this.#share.headersTimeoutMs;
    this.#share.sweep.move(this, this.#arrivesBy);
  }

  /** A request began at `now`; `pending` tells whether some of it is still to come. */
  requestBegan(now: number, pending: boolean): void {
    this.#arrivesBy = now + this.#share.requestTimeoutMs;
    this.#awaitMove(now, pending);
  }

  /** Something moved while a request was under way: when nothing moves any more, the connection is given up. */
  moved(pending: boolean): void {
    this.#awaitMove(this.#share.clock.now(), pending);
  }

  /** The connection waits for a request. */
  idle(): void {
    this.#arrivesBy = 0;
    this.#due(this.#share.keepAliveTimeoutMs);
  }

  /** The listener closes, and no request has come yet. */
  awaitFirst(): void {
    this.#due(FIRST_REQUEST_MS);
  }

  /** A caller that is still sending was answered, and gets time to notice. */
  linger(): void {
    this.#due(LINGER_MS);
  }

  /** The last bytes are on their way. */
  ending(): void {
    this.#due(DEAD_SOCKET_MS);
  }

  /** Nothing is timed any more. */
  stop(): void {
    this.#share.sweep.remove(this);
  }

  #awaitMove(now: number, pending: boolean): void {
    const quietUntil = now + DEAD_SOCKET_MS;
    this.#share.sweep.move(this, pending ? Math.min(quietUntil, this.#arrivesBy) : quietUntil);
  }

  #due(ms: number): void {
    this.#share.sweep.move(this, this.#share.clock.now() + ms);
  }
}
