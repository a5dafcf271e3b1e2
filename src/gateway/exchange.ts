import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { BridgeError } from '../base/errors.ts';
import { describeNetworkError, networkErrorCode } from '../platforms/network-error.ts';
import { beginsObject, mayBeJson, VERDICT_BYTES } from './answer-verdict.ts';
import type { Answer, Call } from './call.ts';
import type { AnswerHead } from './headers.ts';
import { readAnswerHead } from './headers.ts';

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
  /** Host of the upstream, for messages. */
  readonly host: string;
  readonly maxResponseBytes: number;
  readonly now: () => number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: ExchangeError) => void;
}

/** Codes of a connection that broke, as against an answer that was not understood. */
const BROKEN_CONNECTION: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** Refusal of an answer over the limit. */
export function responseTooLarge(maxBytes: number): BridgeError {
  return new BridgeError('RESPONSE_TOO_LARGE', `the platform's answer is larger than ${maxBytes} bytes`, {
    hint: 'raise gateway.maxResponseBytes in the configuration',
  });
}

/**
 * One request to the upstream and its answer. Small answers are collected whole, as they may hold a
 * verdict; all others are handed on as a stream that holds the upstream back when the caller is slow.
 * undici calls the `on…` methods. A class, as one is made per request.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #sentAt: number;
  #controller: Dispatcher.DispatchController | undefined;
  #began = false;
  #status = 0;
  #reason: string | undefined;
  #head: AnswerHead | undefined;
  #chunks: Buffer[] = [];
  /** Whether the first byte that tells an object from other things has been seen. */
  #judged = false;
  #size = 0;
  #stream: Readable | undefined;
  #finished = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#sentAt = options.now();
    // Made before it is assigned: see Call.onFault.
    const onFault = (fault: BridgeError): void => this.#fail(fault);
    options.call.onFault = onFault;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The call may have ended while it waited for a connection.
    const { fault } = this.#options.call;
    if (fault !== undefined) controller.abort(fault);
  }

  onResponseStarted(): void {
    this.#began = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: object,
    reason?: string,
  ): void {
    // 103 and the like; the final head follows.
    if (status < 200) return;
    const { call, maxResponseBytes, now } = this.#options;
    call.upstreamMs += now() - this.#sentAt;
    const head = readAnswerHead(controller.rawHeaders as Buffer[]);
    this.#status = status;
    this.#reason = sendable(reason);
    this.#head = head;
    if (call.incoming.method === 'HEAD' || status === 204 || status === 304) return;
    if (head.length !== undefined && head.length > maxResponseBytes) {
      this.#fail(responseTooLarge(maxResponseBytes));
    } else if (!isCollected(head)) {
      this.#openStream(head);
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { call, maxResponseBytes } = this.#options;
    this.#size += chunk.length;
    call.answerBytes = this.#size;
    if (this.#size > maxResponseBytes) {
      this.#fail(responseTooLarge(maxResponseBytes));
      return;
    }
    if (this.#stream !== undefined) {
      if (!this.#stream.push(chunk)) controller.pause();
      return;
    }
    this.#chunks.push(chunk);
    const head = this.#head;
    if (head !== undefined && (this.#size > VERDICT_BYTES || this.#isOther(head, chunk)))
      this.#openStream(head);
  }

  onResponseEnd(): void {
    this.#finished = true;
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
      chunks.length === 1 ? chunks[0] : chunks.length === 0 ? undefined : Buffer.concat(chunks, this.#size);
    // An answer that came in chunks is sent on with its length, now that it is known.
    if (head.length === undefined && body !== undefined)
      head.headers.push('content-length', String(this.#size));
    resolve(this.#answer(head, body));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#finished = true;
    const { call, host, reject } = this.#options;
    call.onFault = undefined;
    const fault =
      call.fault ?? (error instanceof BridgeError ? error : faultOf(error, host, this.#head !== undefined));
    if (this.#stream !== undefined) this.#stream.destroy(fault);
    else reject(new ExchangeError(fault, !this.#began && BROKEN_CONNECTION.has(networkErrorCode(error))));
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
    if (this.#finished) return;
    if (this.#stream !== undefined) {
      this.#stream.destroy(fault);
      return;
    }
    this.#options.call.onFault = undefined;
    this.#options.reject(new ExchangeError(fault, false));
    this.#controller?.abort(fault);
  }

  #openStream(head: AnswerHead): void {
    const stream = new Readable({
      read: () => this.#controller?.resume(),
      destroy: (error, callback) => {
        if (!this.#finished)
          this.#controller?.abort(error ?? new BridgeError('CALLER_GONE', 'nobody reads the answer'));
        this.#options.call.onFault = undefined;
        callback(error);
      },
    });
    // Whoever sends it on listens too; this listener is for the time before.
    stream.on('error', () => {});
    this.#stream = stream;
    for (const chunk of this.#chunks) stream.push(chunk);
    this.#chunks = [];
    this.#options.resolve(this.#answer(head, stream));
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
  const code = networkErrorCode(error);
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new BridgeError(
      'UPSTREAM_UNREACHABLE',
      `${host} gave an answer that is not valid HTTP (${code})`,
      {
        hint: 'check that the upstream setting names the platform, and what proxies stand between',
      },
    );
  }
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return new BridgeError('REQUEST_MALFORMED', `the request cannot be passed on to ${host} (${code})`);
  }
  if (answering || BROKEN_CONNECTION.has(code) || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
    const when = answering ? 'in the middle of its answer' : 'before it answered';
    return new BridgeError('UPSTREAM_UNREACHABLE', `${host} closed the connection ${when} (${code})`, {
      hint: 'try again; whether the platform has carried the call out is not known',
    });
  }
  return describeNetworkError(error, host);
}
