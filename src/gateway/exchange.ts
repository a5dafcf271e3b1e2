import type { Readable } from 'node:stream';
import { asBridgeError, BridgeError } from '../base/errors.ts';
import { describeNetworkError, networkErrorCode } from '../platforms/network-error.ts';
import { beginsObject, mayBeJson, VERDICT_BYTES } from './answer-verdict.ts';
import type { Answer, Call } from './call.ts';
import type { AnswerHead } from './headers.ts';
import { readAnswerHead } from './headers.ts';
import { BodyStream } from './http1/body-stream.ts';
import type { ResponseHead } from './http1/response-head.ts';
import { HttpSyntaxError } from './http1/syntax.ts';
import type { ExchangeCarrier, OutgoingRequest, UpstreamExchange } from './http1/upstream-exchange.ts';

/** How one exchange with the upstream went wrong, for the one who may try again. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  /** What to tell the caller. */
  readonly fault: BridgeError;
  /** The connection broke before any byte of an answer, as a stale kept-alive one does. */
  readonly unanswered: boolean;

  constructor(fault: BridgeError, unanswered: boolean) {
    super(fault.message);
    this.fault = fault;
    this.unanswered = unanswered;
  }
}

/** What an exchange is made of. */
export interface ExchangeOptions {
  readonly call: Call;
  readonly request: OutgoingRequest;
  /** Host of the upstream, for messages. */
  readonly host: string;
  readonly maxResponseBytes: number;
  readonly now: () => number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ExchangeError) => void;
}

/** Codes of a connection that broke, as against an answer that was not understood. */
const BROKEN_CONNECTION: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** Refusal of an answer over the limit. */
export function responseTooLarge(maxBytes: number): BridgeError {
  return new BridgeError('RESPONSE_TOO_LARGE', `the platform's answer is larger than ${maxBytes} bytes`, {
    hint: 'raise gateway.maxResponseBytes in the configuration',
  });
}

/**
 * One request to the upstream and its answer. Small answers are collected whole, as they may hold a
 * verdict; all others are handed on as a stream that holds the upstream back when the caller is slow.
 * Its connection calls the `on…` methods. A class, as one is made per request.
 */
export class Exchange implements UpstreamExchange {
  readonly request: OutgoingRequest;
  over = false;
  received = 0;

  readonly #options: ExchangeOptions;
  readonly #sentAt: number;
  #carrier: ExchangeCarrier | undefined;
  #status = 0;
  #reason: string | undefined;
  #head: AnswerHead | undefined;
  #chunks: Buffer[] = [];
  /** Whether the first byte that tells an object from other things has been seen. */
  #judged = false;
  #stream: BodyStream | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.request = options.request;
    this.#sentAt = options.now();
    // Made before it is assigned: see Call.onFault.
    const onFault = (fault: BridgeError): void => this.#fail(fault);
    options.call.onFault = onFault;
  }

  onCarrier(carrier: ExchangeCarrier): void {
    this.#carrier = carrier;
  }

  onHead({ status, reason, fields }: ResponseHead): void {
    const { call, maxResponseBytes, now } = this.#options;
    call.upstreamMs += now() - this.#sentAt;
    const head = readAnswerHead(fields.headers);
    call.followedSeqid = head.seqid;
    this.#status = status;
    this.#reason = sendable(reason);
    this.#head = head;
    if (this.request.method === 'HEAD' || status === 204 || status === 304) return;
    if (head.length !== undefined && head.length > maxResponseBytes) {
      this.#fail(responseTooLarge(maxResponseBytes));
    } else if (!isCollected(head)) {
      this.#openStream(head);
    }
  }

  onData(chunk: Buffer): boolean {
    const { call, maxResponseBytes } = this.#options;
    this.received += chunk.length;
    call.answerBytes = this.received;
    if (this.received > maxResponseBytes) {
      this.#fail(responseTooLarge(maxResponseBytes));
      return false;
    }
    const stream = this.#stream;
    if (stream !== undefined) return stream.push(chunk);
    this.#chunks.push(chunk);
    const head = this.#head;
    if (head !== undefined && (this.received > VERDICT_BYTES || this.#isOther(head, chunk)))
      return this.#openStream(head);
    return true;
  }

  spent(): number {
    return this.#stream?.spent() ?? 0;
  }

  onEnd(): void {
    this.over = true;
    if (this.#stream !== undefined) {
      this.#stream.push(null);
      return;
    }
    const { call, resolve } = this.#options;
    call.onFault = undefined;
    const head = this.#head;
    if (head === undefined) return;
    const chunks = this.#chunks;
    const body =
      chunks.length === 1
        ? chunks[0]
        : chunks.length === 0
          ? undefined
          : Buffer.concat(chunks, this.received);
    // An answer that came in chunks is sent on with its length, now that it is known.
    if (head.length === undefined && body !== undefined)
      head.headers.push('content-length', String(this.received));
    resolve(this.#answer(head, body));
  }

  onBroken(error: Error, began: boolean): void {
    if (this.over) return;
    this.over = true;
    const { call, host, reject } = this.#options;
    call.onFault = undefined;
    const fault =
      call.fault ?? (error instanceof BridgeError ? error : faultOf(error, host, this.#head !== undefined));
    if (this.#stream !== undefined) breakLater(this.#stream, fault);
    else reject(new ExchangeError(fault, !began && BROKEN_CONNECTION.has(networkErrorCode(error))));
  }

  /** Whether an answer of unknown length has just turned out not to be a JSON object. */
  #isOther(head: AnswerHead, chunk: Buffer): boolean {
    if (this.#judged || head.length !== undefined || head.contentEncoding !== '') return false;
    const guess = beginsObject(chunk);
    this.#judged = guess !== undefined;
    return guess === false;
  }

  /** Ends the exchange from our side, whatever it waits for. */
  #fail(fault: BridgeError): void {
    if (this.over) return;
    this.#leave();
    if (this.#stream !== undefined) breakLater(this.#stream, fault);
    else this.#options.reject(new ExchangeError(fault, false));
  }

  #leave(): void {
    this.over = true;
    this.#options.call.onFault = undefined;
    this.#carrier?.abort(this);
  }

  /** Hands the answer on before its body is complete; false holds the upstream back. */
  #openStream(head: AnswerHead): boolean {
    const stream = new BodyStream({
      read: () => {
        if (!this.over) this.#carrier?.resume();
      },
      destroy: (error, callback) => {
        if (!this.over) this.#leave();
        this.#options.call.onFault = undefined;
        callback(error);
      },
    });
    // Whoever sends it on listens too; this listener is for the time before.
    stream.on('error', () => {});
    this.#stream = stream;
    let flows = true;
    for (const chunk of this.#chunks) flows = stream.push(chunk);
    this.#chunks = [];
    this.#options.resolve(this.#answer(head, stream));
    return flows;
  }

  #answer(head: AnswerHead, body: Buffer | Readable | undefined): Answer {
    return {
      status: this.#status,
      reason: this.#reason,
      headers: head.headers,
      contentType: head.contentType,
      contentEncoding: head.contentEncoding,
      body,
    };
  }
}

/**
 * Breaks a body off in a later turn: whoever has just been given it must be able to listen first, or would
 * wait for an end that has been told already.
 */
function breakLater(stream: Readable, fault: BridgeError): void {
  setImmediate(() => stream.destroy(fault));
}

/** Whether an answer is read whole: it is small for sure, or may turn out to be a small JSON object. */
function isCollected(head: AnswerHead): boolean {
  return head.length === undefined ? mayBeJson(head.contentType) : head.length <= VERDICT_BYTES;
}

/** A reason phrase goes out as it came when it is plain ASCII; other bytes are not worth an error. */
function sendable(reason: string | undefined): string | undefined {
  return reason !== undefined && reason !== '' && /^[\x20-\x7e]+$/.test(reason) ? reason : undefined;
}

/** The original error stays out: its message or fields may hold the URL, and the URL holds a token. */
function faultOf(error: Error, host: string, answering: boolean): BridgeError {
  if (error instanceof HttpSyntaxError) {
    return new BridgeError(
      'UPSTREAM_UNREACHABLE',
      `${host} gave an answer that is not valid HTTP/1.1: ${error.message}`,
      {
        hint: 'check that the upstream setting names the platform, and what proxies stand between',
      },
    );
  }
  // What has no code is no failure of the network but a mistake of ours.
  if (!('code' in error)) return asBridgeError(error);
  const code = networkErrorCode(error);
  if (answering || BROKEN_CONNECTION.has(code)) {
    const when = answering ? 'in the middle of its answer' : 'before it answered';
    return new BridgeError('UPSTREAM_UNREACHABLE', `${host} closed the connection ${when} (${code})`, {
      hint: 'try again; whether the platform has carried the call out is not known',
    });
  }
  return describeNetworkError(error, host);
}
