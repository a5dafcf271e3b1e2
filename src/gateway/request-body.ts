import { Readable } from 'node:stream';
import { BridgeError } from '../base/errors.ts';
import type { Call, RequestBody } from './call.ts';
import { BodyStream } from './http1/body-stream.ts';
import type { KeptBody } from './replay-store.ts';

/** Bodies up to this size are read whole before they are sent: one write, and a replay for nothing. */
const READ_AHEAD_BYTES = 64 * 1024;

/** What a request body is made of. */
export interface RequestBodyOptions {
  readonly source: Readable;
  readonly maxBytes: number;
  /** Where the bytes are kept for a replay; undefined when there will be none. */
  readonly kept: KeptBody | undefined;
}

/** The refusal of a body over the limit. */
export function requestTooLarge(maxBytes: number): BridgeError {
  return new BridgeError('REQUEST_TOO_LARGE', `the request body is larger than ${maxBytes} bytes`, {
    hint: 'raise gateway.maxRequestBytes in the configuration, or send less',
  });
}

/** Time ran out while the caller was still sending; the platform had not been asked yet. */
function requestTooSlow(): BridgeError {
  return new BridgeError('REQUEST_TIMEOUT', 'the request body did not arrive in time', {
    hint: 'send it faster, or raise gateway.timeoutMs in the configuration',
  });
}

/** A body that is here whole. Nothing needs to be kept of it for a replay. */
export function wholeRequestBody(bytes: Buffer): RequestBody {
  return {
    received: () => bytes.length,
    take: () => bytes,
    rewind: async () => true,
    release: undefined,
  };
}

/** Makes the body of a call, whose `read` stage has run. Nothing is read before the first `take`. */
export function createRequestBody(call: Call, options: RequestBodyOptions): RequestBody {
  const { source, maxBytes, kept } = options;
  let received = 0;
  let whole: Buffer | undefined;
  let ahead: Buffer[] | undefined;
  let onReady: ((error?: Error) => void) | undefined;
  let uplink: BodyStream | undefined;
  let writes = 0;
  let begun = false;
  let ended = false;
  /** Whether anyone has room for more. */
  let wanted = false;
  let failure: Error | undefined;
  let again: Buffer | Readable | undefined;

  const settle = (error?: Error): void => {
    const ready = onReady;
    onReady = undefined;
    ready?.(error);
  };
  const fail = (error: Error): void => {
    if (failure !== undefined || ended) return;
    failure = error;
    ahead = undefined;
    source.pause();
    uplink?.destroy(error);
    settle(error);
  };
  const flow = (): void => {
    wanted = true;
    if (writes === 0 && !ended && failure === undefined) source.resume();
  };
  const halt = (): void => {
    wanted = false;
    source.pause();
  };
  const keep = (chunk: Buffer): void => {
    const pending = kept?.append(chunk);
    if (pending === undefined) return;
    writes += 1;
    source.pause();
    pending.then(() => {
      writes -= 1;
      if (writes > 0) return;
      if (ended) settle();
      else if (wanted) flow();
    });
  };
  const pass = (chunk: Buffer): void => {
    keep(chunk);
    if (uplink?.push(chunk) === false) halt();
  };

  const onData = (chunk: Buffer): void => {
    // Whoever answered without reading on may still let the rest run by.
    if (failure !== undefined) return;
    received += chunk.length;
    if (received > maxBytes) {
      fail(requestTooLarge(maxBytes));
    } else if (ahead === undefined) {
      pass(chunk);
    } else {
      ahead.push(chunk);
      if (received > READ_AHEAD_BYTES) settle();
    }
  };
  const onEnd = (): void => {
    ended = true;
    if (ahead !== undefined) whole = ahead.length === 1 ? ahead[0] : Buffer.concat(ahead, received);
    uplink?.push(null);
    if (writes === 0) settle();
  };
  const onLost = (): void => {
    if (ended) return;
    call.callerGone = true;
    fail(new BridgeError('CALLER_GONE', 'the caller closed the connection before its request was complete'));
  };

  const begin = (): void => {
    begun = true;
    // What is on its way into a file is needed until it is there.
    if (source instanceof BodyStream) source.spent = () => (writes > 0 ? 0 : (uplink?.spent() ?? 0));
    source.on('data', onData);
    source.on('end', onEnd);
    source.on('error', onLost);
    source.on('close', onLost);
    call.incoming.sendContinue?.();
  };
  const onFault = (fault: BridgeError): void =>
    fail(fault.code === 'UPSTREAM_TIMEOUT' ? requestTooSlow() : fault);
  /** Waits until the body has ended, or until as much of it was read as is read ahead. */
  const ready = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: Error): void => {
        call.onFault = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      if (failure !== undefined) return reject(failure);
      if (call.fault !== undefined) return reject(call.fault);
      onReady = done;
      call.onFault = onFault;
    });

  const openUplink = (): Readable => {
    const first = ahead ?? [];
    ahead = undefined;
    uplink = new BodyStream({
      read: flow,
      destroy(error, callback) {
        // The platform may answer before it has read everything; what is left is read only for a replay.
        uplink = undefined;
        halt();
        callback(error);
      },
    });
    // Whoever sends it listens too; this listener is for the time before.
    uplink.on('error', () => {});
    for (const chunk of first) pass(chunk);
    return uplink;
  };

  return {
    received: () => received,
    async take() {
      if (whole !== undefined) return whole;
      if (again !== undefined) {
        const body = again;
        again = undefined;
        return body;
      }
      begin();
      if (call.bodyLength === undefined || call.bodyLength <= READ_AHEAD_BYTES) {
        ahead = [];
        await ready();
        if (whole !== undefined) return whole;
      }
      return openUplink();
    },
    async rewind() {
      if (whole !== undefined || !begun) return true;
      if (kept === undefined || failure !== undefined) return false;
      uplink?.destroy();
      if (!ended || writes > 0) {
        flow();
        await ready();
      }
      again = kept.open();
      return again !== undefined;
    },
    release() {
      if (again instanceof Readable) again.destroy();
      kept?.release();
    },
  };
}
