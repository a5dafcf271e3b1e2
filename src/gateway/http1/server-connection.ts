import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { BridgeError } from '../../base/errors.ts';
import type { Answer, Call } from '../call.ts';
import { headTooLarge, MAX_HEAD_BYTES, requestMisread, requestTooLate, tunnelRefused } from '../listener.ts';
import { adoptSocket } from './adopt-socket.ts';
import { ConnectionTimes } from './connection-times.ts';
import { HeadReader } from './head-reader.ts';
import { ReadMemory, STREAM_BUFFER_BYTES } from './read-memory.ts';
import { RequestArrival } from './request-arrival.ts';
import type { RequestHead } from './request-head.ts';
import { isKept, readRequestHead } from './request-head.ts';
import { sendStream, sendWhole } from './send-answer.ts';
import type { ServerShare } from './server-share.ts';
import { HttpSyntaxError } from './syntax.ts';
import { isBodiless, writeAnswerHead } from './write-answer-head.ts';

/** What a caller sends ahead is kept up to this size; beyond it, the connection is not read on. */
const SENT_AHEAD_BYTES = 16 * 1024;

const CLOSE_LINE = 'connection: close\r\n';

/** Waits for a request. */
const WAITING = 0;
/** A request is under way, or what is left of an answered one is read away. */
const SERVING = 1;
/** Answered; a caller that still sends gets some time to notice before its connection is closed. */
const LINGERING = 2;
/** Nothing that still comes in matters. */
const ENDING = 3;

/**
 * The server's side of one HTTP/1.1 connection (RFC 9112). Requests are served one after the other; those
 * sent ahead wait. A class, as there is one for each connection and its parts act on each other.
 */
export class ServerConnection {
  readonly #socket: Socket;
  readonly #share: ServerShare;
  readonly #remoteAddress: string;
  readonly #heads = new HeadReader({ limit: MAX_HEAD_BYTES, skipsEmptyLine: true });
  readonly #arrival: RequestArrival;
  readonly #times: ConnectionTimes;
  readonly #onGone: () => void;
  #state = WAITING;
  /** Whether no request has come yet. */
  #isNew = true;
  #call: Call | undefined;
  #head: RequestHead | undefined;
  /** Whether the caller waits for `100 Continue` with its body. */
  #awaits = false;
  #headSent = false;
  /** The answer's body while it is sent. */
  #stream: Readable | undefined;
  #ahead: Buffer | undefined;

  /** `onGone` is called when the connection has closed. */
  constructor(accepted: Socket, share: ServerShare, onGone: () => void) {
    this.#share = share;
    this.#remoteAddress = accepted.remoteAddress ?? '';
    this.#onGone = onGone;
    const memory = new ReadMemory(share.readBuffer, STREAM_BUFFER_BYTES);
    const adopted =
      accepted instanceof TLSSocket
        ? undefined
        : adoptSocket(accepted, {
            buffer: () => memory.current,
            callback: (size, buffer) => {
              this.#onData((buffer as Buffer).subarray(0, size));
              return true;
            },
          });
    const socket = adopted ?? accepted.on('data', (bytes: Buffer) => this.#onData(bytes));
    this.#socket = socket;
    this.#arrival = new RequestArrival(socket, adopted && memory);
    this.#times = new ConnectionTimes(share, () => this.#onDue());
    socket.on('drain', () => this.#onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  /**
   * Closes the connection if it waits for a request, a new one after a moment; else the answer under way
   * will say that it ends.
   */
  retire(): void {
    if (this.#state !== WAITING || this.#heads.begun) return;
    if (this.#isNew) this.#times.awaitFirst();
    else this.#end();
  }

  /** Breaks off whatever is under way. */
  breakOff(): void {
    this.#socket.destroy();
  }

  #onDue(): void {
    if (this.#state === WAITING && this.#heads.begun) this.#refuse(requestTooLate());
    else if (this.#state === LINGERING) this.#end();
    else if (this.#call !== undefined && this.#arrival.pending && this.#times.isRequestLate)
      this.#refuse(requestTooLate());
    else this.#socket.destroy();
  }

  #onData(bytes: Buffer): void {
    let at = 0;
    if (this.#arrival.pending && this.#state !== ENDING) {
      at = this.#readBody(bytes);
      if (at === bytes.length) return;
    }
    if (this.#state === WAITING) this.#readRequest(bytes, at);
    else if (this.#state === SERVING) this.#keepAhead(at === 0 ? bytes : bytes.subarray(at));
  }

  #readRequest(bytes: Buffer, at: number): void {
    const heads = this.#heads;
    try {
      if (heads.read(bytes, at)) this.#begin(readRequestHead(heads.text, heads.end), bytes, heads.next);
      else if (heads.begun) this.#times.awaitHead();
    } catch (error) {
      this.#misread(error);
    }
  }

  #begin(head: RequestHead, bytes: Buffer, start: number): void {
    const { fields, method } = head;
    if (method === 'CONNECT') {
      this.#refuse(tunnelRefused());
      return;
    }
    const arrival = this.#arrival;
    const body = arrival.begin(fields, bytes, start);
    const { gateway } = this.#share;
    this.#head = head;
    this.#isNew = false;
    this.#headSent = false;
    this.#awaits = fields.awaitsContinue && head.minor === 1 && arrival.pending;
    this.#state = SERVING;
    const call = gateway.open({
      method,
      target: head.target,
      headers: fields.headers,
      body,
      remoteAddress: this.#remoteAddress,
      sendContinue: this.#awaits ? () => this.#sendContinue(call) : undefined,
    });
    this.#call = call;
    this.#times.requestBegan(call.startedAt, arrival.pending);
    if (arrival.next < bytes.length) this.#keepAhead(bytes.subarray(arrival.next));
    gateway.handle(call).then(
      answer => this.#send(call, answer),
      error => this.#failed(error, call.seqid),
    );
  }

  /** Reads on in the request's body, and gives where what follows it begins. */
  #readBody(bytes: Buffer): number {
    const arrival = this.#arrival;
    if (this.#state === SERVING) this.#times.moved(true);
    try {
      const isWhole = arrival.read(bytes);
      const { next } = arrival;
      if (isWhole) this.#bodyArrived();
      return next;
    } catch (error) {
      this.#misread(error);
      return bytes.length;
    }
  }

  /** What came is no request. After an answer there is nobody to tell. */
  #misread(error: unknown): void {
    if (!(error instanceof HttpSyntaxError)) {
      this.#failed(error);
      return;
    }
    if (this.#state !== WAITING && this.#call === undefined) this.#end();
    else this.#refuse(error.headTooLarge ? headTooLarge() : requestMisread(error.message));
  }

  #bodyArrived(): void {
    if (this.#state === LINGERING) this.#end();
    // What was left of an answered request has been read away.
    else if (this.#call === undefined && !this.#socket.writableNeedDrain) this.#next();
  }

  #keepAhead(bytes: Buffer): void {
    this.#ahead = Buffer.concat(this.#ahead === undefined ? [bytes] : [this.#ahead, bytes]);
    if (this.#ahead.length > SENT_AHEAD_BYTES) this.#socket.pause();
  }

  #sendContinue(call: Call): void {
    if (call !== this.#call || !this.#awaits || this.#headSent) return;
    this.#awaits = false;
    this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  #failed(error: unknown, seqid?: string): void {
    const name = error instanceof Error ? error.name : 'unknown';
    this.#share.log.error({ seqid, error: name }, 'the gateway failed');
    this.#socket.destroy();
  }

  #send(call: Call, answer: Answer): void {
    const { body } = answer;
    const head = this.#head;
    if (call !== this.#call || head === undefined || call.callerGone) {
      if (body instanceof Readable) body.destroy();
      return;
    }
    // Whether a body follows that was never asked for cannot be known, so nothing may come after the answer.
    // A request sent ahead is on its way here and nowhere else: the answer to the last one tells.
    const isLast = this.#share.draining && this.#ahead === undefined;
    const ends = isLast || this.#awaits || this.#arrival.isLong || !isKept(head);
    const bodiless = head.method === 'HEAD' || isBodiless(answer.status);
    const written = writeAnswerHead(answer, {
      connection: ends ? CLOSE_LINE : this.#share.keepAliveLines,
      mayChunk: head.minor === 1,
      bodiless,
      date: this.#share.date,
    });
    this.#headSent = true;
    if (body instanceof Readable && !bodiless) {
      this.#stream = body;
      const endsAfter = ends || written.bodyEnd === 'close';
      sendStream(this.#socket, written, body, {
        onSent: flushed => {
          this.#stream = undefined;
          this.#answered(endsAfter, flushed);
        },
        onBroken: () => this.#cut(),
      });
      return;
    }
    if (body instanceof Readable) body.destroy();
    const whole = bodiless ? undefined : (body as Buffer | undefined);
    this.#answered(ends, sendWhole(this.#socket, written.text, whole));
  }

  /** The answer is out: what is left of the request is read away, and the next one served. */
  #answered(ends: boolean, flushed: boolean): void {
    const arrival = this.#arrival;
    this.#call = undefined;
    arrival.release();
    if (arrival.isLong && !this.#awaits) {
      this.#state = LINGERING;
      this.#times.linger();
      this.#readOn();
    } else if (ends) {
      this.#end();
    } else if (arrival.pending) {
      this.#readOn();
    } else if (flushed) {
      this.#next();
    }
  }

  /** Waits for the next request, or serves one that was sent ahead. */
  #next(): void {
    this.#state = WAITING;
    this.#head = undefined;
    const ahead = this.#ahead;
    if (ahead === undefined && this.#share.closing) {
      this.#end();
      return;
    }
    this.#times.idle();
    if (ahead === undefined) return;
    this.#ahead = undefined;
    this.#readOn();
    this.#readRequest(ahead, 0);
  }

  /**
   * Closes our direction, and the connection once the caller has closed its own or has had time to. Closing
   * both at once would reset a connection with unread data, and the answer might be lost with it (RFC 9112,
   * section 9.6).
   */
  #end(): void {
    this.#state = ENDING;
    this.#arrival.end();
    this.#ahead = undefined;
    this.#times.ending();
    this.#socket.end(() => this.#times.linger());
    this.#readOn();
  }

  /** Answers what is no request, or one that does not arrive; the connection ends with that. */
  #refuse(error: BridgeError): void {
    const { gateway } = this.#share;
    const call = this.#call;
    const answering = call !== undefined && this.#headSent;
    this.#call = undefined;
    this.#state = ENDING;
    if (call !== undefined) gateway.abandon(call);
    if (answering) {
      this.#cut();
      return;
    }
    this.#arrival.breakOff();
    this.#times.ending();
    gateway.refuse(error, this.#remoteAddress).then(
      answer => {
        const framing = { connection: CLOSE_LINE, mayChunk: false, bodiless: false, date: this.#share.date };
        sendWhole(this.#socket, writeAnswerHead(answer, framing).text, answer.body as Buffer | undefined);
        this.#end();
      },
      () => this.#socket.destroy(),
    );
  }

  /** Breaks an answer off in a way that cannot be taken for its end, even where only closing marks that. */
  #cut(): void {
    // Under TLS the end is marked by an alert (RFC 8446, section 6.1), which a destroyed connection lacks.
    if (this.#socket instanceof TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #onDrain(): void {
    if (this.#state === SERVING) this.#times.moved(this.#arrival.pending);
    if (this.#stream !== undefined) this.#stream.resume();
    else if (this.#state === SERVING && this.#call === undefined && !this.#arrival.pending) this.#next();
  }

  #onEnd(): void {
    if (this.#call !== undefined && this.#headSent) this.#cut();
    else if (this.#call !== undefined) this.#socket.destroy();
  }

  #onClose(): void {
    const call = this.#call;
    this.#state = ENDING;
    this.#call = undefined;
    this.#times.stop();
    if (call !== undefined) this.#share.gateway.abandon(call);
    this.#arrival.breakOff();
    this.#stream?.destroy();
    this.#arrival.end();
    this.#ahead = undefined;
    this.#onGone();
  }

  #readOn(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }
}
