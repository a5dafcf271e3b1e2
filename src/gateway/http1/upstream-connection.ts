import type { Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { BodyDecoder } from './body-decoder.ts';
import { ChunkedBody, CountedBody, UnboundedBody } from './body-decoder.ts';
import { HeadReader } from './head-reader.ts';
import { ReadMemory, STREAM_BUFFER_BYTES } from './read-memory.ts';
import type { ResponseHead } from './response-head.ts';
import { readResponseHead } from './response-head.ts';
import type { Timed } from './sweep.ts';
import { HttpSyntaxError } from './syntax.ts';
import { Upload } from './upload.ts';
import type { ExchangeCarrier, UpstreamExchange } from './upstream-exchange.ts';

/** Where an origin is. */
export interface OriginAddress {
  /** As the Host header names it. */
  readonly authority: string;
  /** Name or address to connect to. */
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
  /** Whom its certificate must be by and for, where that is not the system's authorities and `hostname`. */
  readonly trust?: Trust | undefined;
}

/** A certificate to ask for. */
export interface Trust {
  /** PEM of the only authority to trust. */
  readonly ca: string;
  /** The name that the server must prove. */
  readonly servername: string;
}

/** What a connection tells whoever keeps it, and gets from there. */
export interface ConnectionKeeper {
  readonly address: OriginAddress;
  /** Memory that all connections read into; what is kept longer than a read is copied out of it. */
  readonly readBuffer: Buffer;
  /** TLS session to resume, and a newer one. */
  session: Buffer | undefined;
  /** The connection carries an exchange now. */
  onBusy(connection: UpstreamConnection): void;
  /** The connection can take another exchange; the peer closes it after so many seconds, or -1. */
  onFree(connection: UpstreamConnection, idleSeconds: number): void;
  /** The connection is of no more use. Told once. */
  onGone(connection: UpstreamConnection): void;
}

/** Answer heads over this size are refused. Those of the platforms have one kilobyte or two. */
const MAX_HEAD_BYTES = 64 * 1024;

/** Request bodies up to this size go out in one string with their head, which costs less than a gathered write. */
const ONE_WRITE_BYTES = 16 * 1024;

/** Under TLS memory for large answers is smaller, as no more than one record comes at once (RFC 8446, section 5.1). */
const TLS_STREAM_BUFFER_BYTES = 16 * 1024;

/** How long a connection may be silent before the kernel asks whether its peer is still there. */
const PROBE_AFTER_MS = 60_000;

/** A connection that broke off, as against one that could not be made. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  readonly code = 'ECONNRESET';
}

/**
 * The client's side of one HTTP/1.1 connection (RFC 9112), carrying one exchange at a time. It is used
 * again only when request and answer were complete and nothing came besides.
 */
export class UpstreamConnection implements Timed, ExchangeCarrier {
  dueAt = 0;
  sweptAt = -1;

  readonly #keeper: ConnectionKeeper;
  readonly #socket: Socket;
  readonly #heads = new HeadReader({ limit: MAX_HEAD_BYTES, skipsEmptyLine: false });
  #connected = false;
  #gone = false;
  #exchange: UpstreamExchange | undefined;
  #upload: Upload | undefined;
  /** Whether any byte of the answer has come. */
  #began = false;
  /** Whether the socket was told to stop reading. */
  #held = false;
  #head: ResponseHead | undefined;
  #decoder: BodyDecoder | undefined;
  readonly #memory: ReadMemory;
  #failure: Error | undefined;

  constructor(keeper: ConnectionKeeper) {
    this.#keeper = keeper;
    const { secure } = keeper.address;
    this.#memory = new ReadMemory(keeper.readBuffer, secure ? TLS_STREAM_BUFFER_BYTES : STREAM_BUFFER_BYTES);
    this.#socket = this.#open(keeper.address);
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, PROBE_AFTER_MS);
    this.#socket.on('drain', () => this.#upload?.resume());
    this.#socket.on('end', () => this.#onEnd());
    this.#socket.on('error', error => {
      this.#failure ??= error;
      this.#leave();
    });
    this.#socket.on('close', () => this.#onClose());
  }

  /** Carries an exchange. Only for a connection that is free, or new. */
  start(exchange: UpstreamExchange): void {
    this.#exchange = exchange;
    this.#began = false;
    exchange.onCarrier(this);
    if (this.#connected) this.#write(exchange);
  }

  resume(): void {
    this.#held = false;
    this.#socket.resume();
  }

  abort(exchange: UpstreamExchange): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    // A connection that is still being made serves the next one.
    if (this.#connected) this.#discard();
  }

  /** Breaks the connection off; an exchange is told of `error`. */
  breakOff(error: Error): void {
    this.#failure ??= error;
    this.#discard();
  }

  /** The time that `onFree` or making it gave has passed. */
  onDue(): void {
    const timedOut = Object.assign(new Error('the connection took too long'), { code: 'ETIMEDOUT' });
    this.breakOff(timedOut);
  }

  #open({ hostname, port, secure, trust }: OriginAddress): Socket {
    const onread = {
      buffer: () => this.#memory.current,
      callback: (size: number, buffer: Uint8Array) => this.#onRead((buffer as Buffer).subarray(0, size)),
    };
    if (!secure) {
      const socket = connect({ host: hostname, port, onread });
      return socket.once('connect', () => this.#onConnect());
    }
    const { session } = this.#keeper;
    const options = {
      host: hostname,
      port,
      onread,
      servername: trust?.servername ?? (isIP(hostname) === 0 ? hostname : ''),
      // One origin is one HTTP/1.1 server; negotiating h2 would put all calls on one connection.
      ALPNProtocols: ['http/1.1'],
      ...(trust && { ca: trust.ca }),
      ...(session === undefined ? {} : { session }),
    };
    const socket = connectTls(options);
    socket.on('session', fresh => {
      this.#keeper.session = fresh;
    });
    return socket.once('secureConnect', () => this.#onConnect());
  }

  #onConnect(): void {
    this.#connected = true;
    if (this.#exchange === undefined) this.#keeper.onFree(this, -1);
    else this.#write(this.#exchange);
  }

  #write(exchange: UpstreamExchange): void {
    this.#keeper.onBusy(this);
    const socket = this.#socket;
    const { head, body, bodyLength } = exchange.request;
    if (body === undefined) {
      socket.write(head, 'latin1');
    } else if (body instanceof Readable) {
      socket.write(head, 'latin1');
      this.#upload = new Upload(socket, body, bodyLength, error => this.#onUploaded(error));
    } else if (body.length <= ONE_WRITE_BYTES) {
      // Latin-1 takes every byte there and back.
      socket.write(head + body.toString('latin1'), 'latin1');
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  #onUploaded(error: Error | undefined): void {
    this.#upload = undefined;
    if (error !== undefined) this.breakOff(error);
  }

  /** Takes what was read; false holds the upstream back. */
  #onRead(bytes: Buffer): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      // Nothing was asked.
      this.#discard();
      return false;
    }
    this.#began = true;
    try {
      const flows = this.#readAnswer(exchange, bytes);
      if (!flows) this.#held = true;
      return flows;
    } catch (error) {
      this.breakOff(error instanceof Error ? error : new TypeError('not an error was thrown'));
      return false;
    }
  }

  #readAnswer(exchange: UpstreamExchange, bytes: Buffer): boolean {
    let at = 0;
    while (this.#head === undefined) {
      if (!this.#heads.read(bytes, at)) return true;
      at = this.#heads.next;
      const head = readResponseHead(this.#heads.text, this.#heads.end);
      if (head.status === 101) throw new HttpSyntaxError('it switches protocols without having been asked');
      // 103 and the like; the final head follows (RFC 9110, section 15.2).
      if (head.status < 200) continue;
      this.#head = head;
      this.#decoder = decoderFor(head, exchange.request.method);
      exchange.onHead(head);
      if (this.#exchange !== exchange) return false;
    }
    let flows = true;
    const decoder = this.#decoder;
    if (decoder !== undefined) {
      const memory = this.#memory;
      const lends = memory.lends(bytes);
      at = decoder.read(bytes, at, piece => {
        if (this.#exchange !== exchange) return;
        if (!exchange.onData(lends ? piece : Buffer.from(piece))) flows = false;
      });
      if (this.#exchange !== exchange) return false;
      if (lends) memory.lent(exchange.received);
      if (!decoder.done) {
        memory.provide(exchange.spent());
        return flows;
      }
    }
    this.#finish(exchange, at === bytes.length);
    return true;
  }

  #finish(exchange: UpstreamExchange, exact: boolean): void {
    const { minor, fields } = this.#head as ResponseHead;
    const reusable = exact && minor === 1 && !fields.closes && this.#upload === undefined && !this.#gone;
    this.#exchange = undefined;
    this.#head = undefined;
    this.#decoder = undefined;
    this.#memory.reset();
    // Under TLS what had been decrypted came on after the socket was told to stop, to the answer's very end.
    if (reusable && this.#held) this.resume();
    if (reusable) this.#keeper.onFree(this, fields.idleSeconds);
    else this.#discard();
    exchange.onEnd();
  }

  #onEnd(): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && this.#decoder instanceof UnboundedBody) this.#finish(exchange, false);
    else this.breakOff(new ConnectionLost('the peer closed the connection'));
  }

  #onClose(): void {
    this.#leave();
    this.#upload?.stop();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.onBroken(this.#failure ?? new ConnectionLost('the connection closed'), this.#began);
  }

  #discard(): void {
    this.#leave();
    this.#upload?.stop();
    this.#socket.destroy();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#keeper.onGone(this);
  }
}

/** What reads the body of an answer (RFC 9112, section 6.3); undefined when there is none. */
function decoderFor({ status, fields }: ResponseHead, method: string): BodyDecoder | undefined {
  if (method === 'HEAD' || status === 204 || status === 304 || fields.length === 0) return undefined;
  if (fields.chunked) return new ChunkedBody();
  return fields.length === -1 ? new UnboundedBody() : new CountedBody(fields.length);
}
