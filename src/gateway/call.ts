import type { Readable } from 'node:stream';
import type { Caller } from '../access/callers.ts';
import type { BridgeError, ErrorCode } from '../base/errors.ts';
import type { Credential } from '../credentials/credentials.ts';
import type { App, Platform } from '../platforms/platform.ts';

/** A header list as on the wire: name, value, name, value, with case, order and duplicates kept. */
export type RawHeaders = readonly string[];

/** A request as a listener read it off the wire, whatever HTTP stack the listener uses. */
export interface IncomingCall {
  readonly method: string;
  /** The request target, untouched: origin-form, absolute-form, or a form we refuse. */
  readonly target: string;
  readonly headers: RawHeaders;
  /**
   * The request's body: whole, where it came in one piece with its head, or as a stream. May be given even
   * when there is none, as the headers tell.
   */
  readonly body: Buffer | Readable | undefined;
  /** The peer's address as the socket gives it. */
  readonly remoteAddress: string;
  /** Sends `100 Continue`; given when the request asked to be told, called when its body is wanted. */
  readonly sendContinue?: (() => void) | undefined;
}

/** An answer on its way out. A Readable body that is not used must be destroyed. */
export interface Answer {
  readonly status: number;
  /** The platform's reason phrase, when it is one that can be sent. */
  readonly reason: string | undefined;
  /** Mutable, so that the outermost stage adds its own without copying. */
  readonly headers: string[];
  /** Media type in lower case, without parameters; empty when there is none. */
  readonly contentType: string;
  /** Content coding in lower case; empty when there is none. */
  readonly contentEncoding: string;
  readonly body: Buffer | Readable | undefined;
}

/** A request's body on its way to the platform. */
export interface RequestBody {
  /** Bytes received so far. Not a getter: one in an object made per call gives each a hidden class of its own. */
  received(): number;
  /**
   * What to send now: small bodies as a Buffer, others as a stream that is fed as the caller sends. After
   * `rewind`, the whole body again. Rejects with BridgeError REQUEST_TOO_LARGE.
   */
  take(): Buffer | Promise<Buffer | Readable>;
  /** Makes the next `take` begin anew, reading in what is still to come; false when that is impossible. */
  rewind(): Promise<boolean>;
  /** Says that no replay will follow: what was kept for one is given back. Undefined where nothing is. */
  readonly release: (() => void) | undefined;
}

/**
 * One request on its way through the stages. Each stage fills in what it found out; the comments say
 * which. A class, unlike the rest: one is made per request, and a fixed shape keeps that cheap.
 */
export class Call {
  readonly incoming: IncomingCall;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;

  /** Set by `record`: the unique id sent back as `x-openapi-seqid`. */
  seqid = '';
  /** Set by `read`: host the caller addressed, lower case, without port; empty when it named none. */
  host = '';
  /** Set by `read`: whether the target was in absolute-form, as clients send it to an HTTP proxy. */
  proxied = false;
  /** Set by `read`: how many followers it has passed before. */
  hops = 0;
  /** Set by `read`: canonical path; empty until the target has been found well-formed. */
  path = '';
  /** Set by `read`: query as sent, without `?` and without `from_appid`. */
  query = '';
  /** Set by `read`: the app named in `from_appid`. */
  appNamed: string | undefined;
  /** Set by `read`: an access token the caller sent, decoded. Never log it. */
  token: string | undefined;
  /** Set by `read`: the query names a token parameter without a value. */
  emptyToken = false;
  /** Set by `read`: the caller key in clear. */
  key: string | undefined;
  /** Set by `read`: a web page in a browser sent it. */
  fromWebPage = false;
  /** Set by `read`: declared length of the body; undefined when it comes in chunks. */
  bodyLength: number | undefined = 0;
  /** Set by `read`: lower-case names that `Connection` declares hop-by-hop, besides the well-known ones. */
  hopByHop: ReadonlySet<string> | undefined;
  /** Set by `authenticate`. */
  caller: Caller | undefined;
  /** Set by `route`. */
  platform: Platform | undefined;
  /** Set by `route`; undefined when the call needs none of our credentials and names no app. */
  app: App | undefined;
  /** Set by `authenticate`: the app that a virtual token stands for; the token is swapped for the real one. */
  virtualFor: App | undefined;
  /** Set by `route`: the caller brought a credential of its own, which is left alone. */
  ownToken = false;
  /** Set by `answerTokens`: the body, where it had to be read to find out whose the call is. */
  bodyRead: Buffer | undefined;
  /** Set by `route`: one of our credentials is to be put into the call. */
  injects = false;
  /** Set by `limit`; undefined when the request has no body. */
  requestBody: RequestBody | undefined;
  /** Set by `inject`, and by `inspect` after a repair. It goes into the query in the place of any token there. */
  credential: Credential | undefined;
  /** Set by `inject` or `relay`: the query as it goes out. It holds a credential: never log it. */
  outgoingQuery = '';
  /** Set by `inspect`: the platform's verdict in a small JSON answer, or our own in a refusal. */
  errcode: number | undefined;
  /** Set by `answerErrors`: our own code, when the answer is ours. */
  failure: ErrorCode | undefined;
  /** Set by `inspect`: the platform's own request id. */
  rid: string | undefined;
  /** Set by `inspect`: the call was sent again with a repaired credential. */
  replayed = false;
  /** Set by `forward`: time from handing the request to the upstream until the head of its answer, summed. */
  upstreamMs = 0;
  /** Set by `forward`: how often it was sent to the platform. */
  sends = 0;
  /** Set by `forward`: bytes of the answer's body so far. */
  answerBytes = 0;

  /** Set by `forward`: the id that another gateway on the way gave it. */
  followedSeqid: string | undefined;

  /** Why the call must end before its time, once it must. */
  fault: BridgeError | undefined;
  /** Whether that is because the caller went away, so that nobody will read an answer. */
  callerGone = false;
  /**
   * What whoever is waiting does when the call ends early. One waits at a time, so one slot is enough. Assign
   * no function literal to it directly: V8 takes `x.y = () => …` for a method that will last and makes it in
   * old space, where it keeps the whole finished call until the next full collection.
   */
  onFault: ((fault: BridgeError) => void) | undefined;

  /** Kept by `deadline`: when the call must be over, and its place among those watched; -1 when it has none. */
  dueAt = 0;
  watchedAt = -1;

  constructor(incoming: IncomingCall, startedAt: number) {
    this.incoming = incoming;
    this.startedAt = startedAt;
  }
}

/**
 * Answers a call, or throws BridgeError; at once where nothing has to be waited for, because every promise
 * on the way costs as much as a stage does.
 */
export type Handler = (call: Call) => Answer | Promise<Answer>;

/** One step of the way: does its part, then leaves the rest to `next`. */
export type Stage = (next: Handler) => Handler;

/** Goes on with an answer: at once if it is there, else when it comes. */
export function onAnswer(
  answer: Answer | Promise<Answer>,
  then: (answer: Answer) => Answer | Promise<Answer>,
): Answer | Promise<Answer> {
  return answer instanceof Promise ? answer.then(then) : then(answer);
}

/** Ends a call before its time. The first fault counts; later ones are ignored. */
export function failCall(call: Call, fault: BridgeError): void {
  if (call.fault !== undefined) return;
  call.fault = fault;
  call.onFault?.(fault);
}

/** Waits for a promise, or rejects as soon as the call must end. What was started goes on for others. */
export function untilFault<T>(call: Call, pending: Promise<T>): Promise<T> {
  if (call.fault !== undefined) return Promise.reject(call.fault);
  return new Promise<T>((resolve, reject) => {
    call.onFault = reject;
    pending.then(
      value => {
        call.onFault = undefined;
        resolve(value);
      },
      error => {
        call.onFault = undefined;
        reject(error);
      },
    );
  });
}
