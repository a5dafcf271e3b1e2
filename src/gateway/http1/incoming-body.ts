import { BodyStream } from './body-stream.ts';

/** A request's body that did not come whole with its head. It is fed by its connection. */
export class IncomingBody extends BodyStream {
  readonly #wantMore: () => void;

  /** `wantMore` is called when there is room again after `push` returned false. */
  constructor(wantMore: () => void) {
    super();
    this.#wantMore = wantMore;
    // Whoever reads it listens too; this listener is for the time before.
    this.on('error', () => {});
  }

  override _read(): void {
    this.#wantMore();
  }
}
