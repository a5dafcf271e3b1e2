import ipaddr from 'ipaddr.js';
import type { Clock } from '../../base/clock.ts';
import { networkErrorCode } from '../../platforms/network-error.ts';
import type { Handshake, Reply, Wire } from './wire.ts';

/** Which step of the way failed. */
export type Step = 'dns' | 'tcp' | 'tls' | 'http';

/** How far the way to an origin could be gone, and how long each step took. */
export interface Reach {
  readonly origin: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly handshake: Handshake | undefined;
  readonly reply: Reply | undefined;
  /** Time of the platform's clock less this machine's, in milliseconds; undefined when it gave none. */
  readonly skewMs: number | undefined;
  /** Steps that were gone, with their duration in milliseconds. */
  readonly steps: readonly { readonly step: Step; readonly ms: number }[];
  readonly failed: { readonly step: Step; readonly code: string } | undefined;
}

const INTERNAL: ReadonlySet<string> = new Set([
  ...['loopback', 'private', 'linkLocal', 'uniqueLocal', 'carrierGradeNat', 'unspecified'],
]);

/** What going a way takes. */
export interface ReachDeps {
  readonly wire: Wire;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Goes the way to an origin step by step: name, connection, certificate, answer to `path`. Never throws. */
export async function reachOrigin(
  origin: string,
  path: string,
  { wire, clock, timeoutMs }: ReachDeps,
): Promise<Reach> {
  const url = new URL(origin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port || (secure ? 443 : 80));
  const steps: { step: Step; ms: number }[] = [];
  let at: Step = 'dns';
  let addresses: readonly string[] = [];
  let handshake: Handshake | undefined;
  let reply: Reply | undefined;
  let skewMs: number | undefined;

  const step = async <T>(name: Step, work: () => Promise<T>): Promise<T> => {
    at = name;
    const startedAt = performance.now();
    const result = await work();
    steps.push({ step: name, ms: Math.round(performance.now() - startedAt) });
    return result;
  };
  const told = (failed: Reach['failed']): Reach => ({
    ...{ origin, host, addresses, handshake, reply, skewMs, steps, failed },
  });

  try {
    addresses = await step('dns', () => inTime(wire.lookup(host), timeoutMs));
    await step('tcp', () => connectAny(wire, addresses, port, timeoutMs));
    if (secure) {
      handshake = await step('tls', () => wire.handshake(host, port, host, timeoutMs));
      if (handshake.refusal !== undefined) return told({ step: 'tls', code: handshake.refusal });
    }
    const sentAt = clock.now();
    reply = await step('http', () => wire.ask({ url: new URL(path, origin).href, timeoutMs }));
    skewMs = skewOf(reply, sentAt, clock.now());
    return told(undefined);
  } catch (error) {
    return told({ step: at, code: networkErrorCode(error) });
  }
}

/** An address that stands for all of a machine's is reached by the loopback one. */
export function reachable<T extends { readonly host: string }>(listen: T): T {
  if (listen.host === '0.0.0.0') return { ...listen, host: '127.0.0.1' };
  return listen.host === '::' ? { ...listen, host: '::1' } : listen;
}

/** Whether an address leads to this machine or into a private network rather than to the platform. */
export function isInternal(address: string): boolean {
  return ipaddr.isValid(address) && INTERNAL.has(ipaddr.process(address).range());
}

async function connectAny(
  wire: Wire,
  addresses: readonly string[],
  port: number,
  timeoutMs: number,
): Promise<void> {
  let last: unknown = new Error('the name has no address');
  for (const address of addresses) {
    try {
      return await wire.connect(address, port, timeoutMs);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** `Date` has whole seconds, cut off, so half a second is added; the answer was made halfway through the wait. */
function skewOf(reply: Reply, sentAt: number, receivedAt: number): number | undefined {
  const date = Date.parse(String(reply.headers['date'] ?? ''));
  return Number.isNaN(date) ? undefined : date + 500 - (sentAt + receivedAt) / 2;
}

/** The resolver has patience of its own, which is more than a person has. */
async function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
