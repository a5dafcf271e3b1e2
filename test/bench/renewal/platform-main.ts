/**
 * A stand-in for the platform that knows every account: it gives each a new token once, the same again when
 * asked again, and notes who asked when. Written for this alone, because nothing of it may cost much.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as later } from 'node:timers';
import { percentile } from '../stats.ts';
import { SMALL_ANSWER } from '../traffic.ts';
import { dueOf, indexOf, type Schedule, secretOf, tokenOf } from './accounts.ts';

/** What the platform is told. */
export interface PlatformSettings {
  /** One for each node. */
  readonly ports: readonly number[];
  readonly schedule: Schedule;
  /** How long it thinks about each answer, in milliseconds. */
  readonly answerMs: number;
}

/** What it has seen. Times are milliseconds, moments milliseconds since the Unix epoch. */
export interface PlatformReport {
  /** Accounts that were given a new token. */
  readonly issued: number;
  /** Requests for a token that had been given to somebody already: work done twice. */
  readonly repeated: number;
  /** Those of them by another node than the first. */
  readonly byAnother: number;
  /** Requests for a token that nobody has been given yet, as whoever asked before gave up waiting. */
  readonly retried: number;
  /** Requests that no account can have sent. */
  readonly refused: number;
  /** Most requests for a token under way at once. */
  readonly mostAtOnce: number;
  /** When the first and the last new token was asked for. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
  /** Between the time an account was due and that it was asked for. */
  readonly lateP50: number | null;
  readonly lateP99: number | null;
  readonly lateMost: number | null;
  /** Accounts asked for before they were due. */
  readonly early: number;
  /** Accounts asked for after their token's end. */
  readonly pastEnd: number;
  /** Calls with a token that is good, and with one that is not. */
  readonly calls: number;
  readonly callsRefused: number;
}

const { ports, schedule, answerMs } = JSON.parse(process.argv[2] ?? '') as PlatformSettings;
/** When each account was asked for; 0 for not yet. */
const askedAt = new Float64Array(schedule.apps);
/** Which node was answered first, from 1 on; 0 for none. */
const answered = new Uint8Array(schedule.apps);
const good = new Set<string>();
for (let index = 0; index < schedule.apps; index += 1) good.add(tokenOf(index, 0));
let issued = 0;
let repeated = 0;
let byAnother = 0;
let retried = 0;
let refused = 0;
let underWay = 0;
let mostAtOnce = 0;
let calls = 0;
let callsRefused = 0;

function report(): PlatformReport {
  const late: number[] = [];
  let firstAt = Number.POSITIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  let early = 0;
  let pastEnd = 0;
  for (const [index, at] of askedAt.entries()) {
    if (at === 0) continue;
    const { renewAt, expiresAt } = dueOf(index, schedule);
    firstAt = Math.min(firstAt, at);
    lastAt = Math.max(lastAt, at);
    late.push(at - renewAt);
    if (at < renewAt) early += 1;
    if (at > expiresAt) pastEnd += 1;
  }
  const some = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    issued,
    repeated,
    byAnother,
    retried,
    refused,
    mostAtOnce,
    firstAt: some(firstAt),
    lastAt: some(lastAt),
    lateP50: some(percentile(late, 0.5)),
    lateP99: some(percentile(late, 0.99)),
    lateMost: some(percentile(late, 1)),
    early,
    pastEnd,
    calls,
    callsRefused,
  };
}

function issue(body: string, node: number, response: ServerResponse): void {
  const { appid = '', secret } = JSON.parse(body) as { readonly appid?: string; readonly secret?: string };
  const index = indexOf(appid);
  if (!(index < schedule.apps) || secret !== secretOf(index)) {
    refused += 1;
    write(response, '{"errcode":40013,"errmsg":"invalid appid"}');
    return;
  }
  if (askedAt[index] === 0) {
    askedAt[index] = Date.now();
    issued += 1;
  } else if (answered[index] === 0) {
    retried += 1;
  } else {
    repeated += 1;
    if (answered[index] !== node) byAnother += 1;
  }
  const token = tokenOf(index, 1);
  good.add(token);
  underWay += 1;
  mostAtOnce = Math.max(mostAtOnce, underWay);
  later(() => {
    underWay -= 1;
    if (response.destroyed) return;
    if (answered[index] === 0) answered[index] = node;
    write(response, JSON.stringify({ access_token: token, expires_in: 7200 }));
  }, answerMs);
}

function write(response: ServerResponse, text: string): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function serve(node: number, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  let body = '';
  request.on('data', chunk => {
    body += chunk;
  });
  request.on('end', () => {
    if (url.pathname === '/cgi-bin/stable_token') issue(body, node, response);
    else write(response, answerTo(url));
  });
}

function answerTo({ pathname, searchParams }: URL): string {
  if (pathname === '/bench/issued') return String(issued);
  if (pathname === '/bench/report') return JSON.stringify(report());
  if (good.has(searchParams.get('access_token') ?? '')) {
    calls += 1;
    return SMALL_ANSWER;
  }
  callsRefused += 1;
  return '{"errcode":40001,"errmsg":"invalid credential"}';
}

for (const [index, port] of ports.entries())
  createServer((request, response) => serve(index + 1, request, response)).listen(port, '127.0.0.1', 4096);
