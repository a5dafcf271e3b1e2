import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { freePort } from '../../support/free-port.ts';
import type { CertificateFiles } from '../certificate.ts';
import type { Processes, Running } from '../processes.ts';
import { findProgram, untilAnswers } from '../processes.ts';
import { HEADERS, LARGE_BYTES, LARGE_MIB, SMALL_GET, withToken } from '../traffic.ts';
import { nginxUpstreamConfig } from './nginx.ts';

/** The stand-in for the platform that every peer forwards to. */
export interface Upstream {
  /** What it is made of, for the report. */
  readonly made: string;
  readonly ports: { readonly plain: number; readonly tls: number };
  /** The certificate that peers must trust to reach the TLS port. */
  readonly certificate: string;
}

/** What an upstream is started with. */
export interface UpstreamOptions {
  readonly processes: Processes;
  readonly directory: string;
  readonly certificate: CertificateFiles;
  readonly core: number | undefined;
}

/** Starts the fastest upstream this machine has: nginx, else a small server of our own. */
export async function startUpstream(options: UpstreamOptions): Promise<Upstream> {
  const { processes, certificate, core } = options;
  const directory = join(options.directory, 'upstream');
  mkdirSync(directory);
  const ports = { plain: await freePort(), tls: await freePort() };
  const logFile = join(directory, 'log');
  const nginx = findProgram('nginx');
  let running: Running;
  if (nginx === undefined) {
    const main = join(import.meta.dirname, 'server-main.ts');
    const settings = JSON.stringify({ ports, certificate });
    running = processes.start({ file: process.execPath, args: [main, settings], core, logFile });
  } else {
    await writeLargeFile(join(directory, 'large'));
    const config = join(directory, 'nginx.conf');
    writeFileSync(config, nginxUpstreamConfig({ directory, ports, certificate, inner: await freePort() }));
    running = processes.start({
      file: nginx,
      args: ['-p', directory, '-c', config, '-e', logFile],
      core,
      logFile,
    });
  }
  if (running.pid === 0) throw new Error('the upstream did not start');
  await untilAnswers(ports.plain, withToken(SMALL_GET), HEADERS);
  return {
    made: nginx === undefined ? 'a node:net server' : 'nginx, one worker',
    ports,
    certificate: certificate.certificate,
  };
}

async function writeLargeFile(path: string): Promise<void> {
  const file = createWriteStream(path);
  const mib = Buffer.alloc(LARGE_BYTES / LARGE_MIB, 'x');
  for (let i = 0; i < LARGE_MIB; i += 1) file.write(mib);
  file.end();
  await finished(file);
}
