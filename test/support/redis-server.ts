import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { describe, test } from 'vitest';
import { makeCertificate } from '../bench/certificate.ts';
import { freePort } from './free-port.ts';
import { temporaryFolder } from './temporary.ts';

/** A Redis of a test's own, which it may stop, freeze, fill and empty. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Sends a command as somebody else would. */
  command(...command: readonly string[]): Promise<unknown>;
  /** Ends it as a power cut does. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
  /** Stops its process without closing its connections, as a machine that hangs. */
  freeze(): void;
  thaw(): void;
  /** Kills it and removes its folder. */
  remove(): Promise<void>;
}

export interface RedisServerOptions {
  readonly options?: readonly string[];
  readonly port?: number;
  /** `--sentinel` with a configuration file. */
  readonly sentinelFile?: string;
  /** How to reach it; a plain connection unless given. */
  readonly urlOf?: (port: number) => string;
  readonly clientTls?: { readonly ca: string };
}

const BINARY = 'redis-server';
const START_MS = 10_000;

/** A Redis server that is reached over TLS alone, under an authority made for it. */
export async function tlsRedisOptions(): Promise<RedisServerOptions & { readonly ca: string }> {
  const { certificate, key } = await makeCertificate(temporaryFolder());
  const ca = readFileSync(certificate, 'utf8');
  const port = await freePort();
  return {
    ca,
    port,
    urlOf: () => `rediss://127.0.0.1:${port}`,
    clientTls: { ca },
    options: [
      ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', certificate, '--tls-key-file', key],
    ],
  };
}

/** Starts a Redis server on a spare port of loopback, in a folder of its own. */
export async function startRedisServer(how: RedisServerOptions = {}): Promise<RedisServer> {
  const port = how.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'open-bridge-redis-'));
  const url = how.urlOf?.(port) ?? `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let output = '';

  async function command(...words: readonly string[]): Promise<unknown> {
    const tls = how.clientTls && { tls: true as const, ca: how.clientTls.ca };
    const client = createClient({
      url,
      RESP: 2,
      socket: { reconnectStrategy: false, connectTimeout: 1000, ...tls },
      disableClientInfo: true,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.sendCommand(words);
    } finally {
      if (client.isOpen) client.destroy();
    }
  }

  async function start(): Promise<void> {
    const where = ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
    const base = how.options?.includes('--tls-port') ? [] : ['--port', String(port)];
    const words =
      how.sentinelFile === undefined
        ? [...base, ...where, ...(how.options ?? [])]
        : [how.sentinelFile, '--sentinel'];
    child = spawn(BINARY, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', chunk => {
        output = `${output}${chunk}`.slice(-4000);
      });
    const until = performance.now() + START_MS;
    for (;;) {
      const isUp = await command('PING').then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (child.exitCode !== null || performance.now() > until)
        throw new Error(`redis-server does not start: ${output}`);
      await delay(20);
    }
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  const killAtExit = (): void => void child?.kill('SIGKILL');
  process.once('exit', killAtExit);

  async function remove(): Promise<void> {
    await kill();
    process.off('exit', killAtExit);
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    await start();
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    port,
    url,
    command,
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    remove,
  };
}

/**
 * Describes tests that need the Redis binaries. Without them they are skipped, which is said; where the tests
 * must be complete (`CI=true`) that is a failure.
 */
export async function describeOnRedis(name: string, tests: () => void): Promise<void> {
  const probe = spawn(BINARY, ['--version'], { stdio: 'ignore' });
  const isThere = await new Promise<boolean>(resolve => {
    probe.on('error', () => resolve(false));
    probe.on('exit', code => resolve(code === 0));
  });
  if (isThere) describe(name, tests);
  else if (process.env['CI'] === 'true')
    test(name, () => {
      throw new Error(`no ${BINARY} for the tests`);
    });
  else test.skip(`${name}: SKIPPED, as there is no ${BINARY}`);
}

/** Waits for something to become true, really: what is waited for happens in other processes. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<number> {
  const begun = performance.now();
  for (;;) {
    if (await condition()) return performance.now() - begun;
    if (performance.now() - begun > withinMs) throw new Error(`not so within ${withinMs} ms: ${condition}`);
    await delay(5);
  }
}
