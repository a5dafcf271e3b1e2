/** Measures the gateway beside other proxies, on this machine and in one run. `npm run bench -- --help` */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildGateway } from './build.ts';
import { makeCertificate } from './certificate.ts';
import { type Contender, startContender, timeStart } from './contenders.ts';
import { createSaturator } from './load/saturate.ts';
import { describeMachine, splitCores } from './machine.ts';
import { createMeasures } from './measures.ts';
import { Figures } from './metrics.ts';
import { type BenchOptions, readOptions } from './options.ts';
import { gatewayPeer } from './peers/gateway.ts';
import { haproxyPeer } from './peers/haproxy.ts';
import { nginxPeer } from './peers/nginx.ts';
import { fastifyPeer, httpProxy3Peer } from './peers/node-proxies.ts';
import { direct, type Peer } from './peers/peer.ts';
import { createProcesses, type Processes, rssMib } from './processes.ts';
import { reportJson, reportText } from './report.ts';
import { judge } from './targets.ts';
import { SMALL_GET } from './traffic.ts';
import { startUpstream } from './upstream/upstream.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const DEFAULT_OUT = join(import.meta.dirname, 'results', 'latest.json');
const SETTLE_MS = 1500;

async function makePeers(options: BenchOptions, directory: string): Promise<readonly Peer[]> {
  const wanted = (name: string): boolean => options.only?.has(name) ?? name !== 'gateway-quiet';
  const peers = [direct, nginxPeer(), haproxyPeer(), httpProxy3Peer, fastifyPeer];
  const main = await buildGateway(REPOSITORY, join(directory, 'build'));
  peers.push(
    gatewayPeer({ name: 'gateway', main, logLevel: 'info' }),
    gatewayPeer({ name: 'gateway-quiet', main, logLevel: 'warn' }),
  );
  const names = peers.map(peer => peer.name);
  const unknown = [...(options.only ?? [])].find(name => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`--only: ${unknown} is none of ${names.join(', ')}`);
  const usual = peers.filter(peer => wanted(peer.name));
  for (const [name, checkout] of options.against) {
    const other = await buildGateway(resolve(checkout), join(directory, `build-${name}`));
    usual.push(gatewayPeer({ name: `gateway-${name}`, main: other, logLevel: 'info' }));
  }
  return usual;
}

async function bench(options: BenchOptions, directory: string, processes: Processes): Promise<void> {
  const startedAt = performance.now();
  const cores = splitCores();
  const say = (text: string): void =>
    console.error(`${((performance.now() - startedAt) / 1000).toFixed(0)} s: ${text}`);
  const certificate = await makeCertificate(directory);
  say('building');
  const peers = await makePeers(options, directory);
  const upstream = await startUpstream({ processes, directory, certificate, core: cores.load });
  const setup = { processes, directory, upstream, core: cores.peer };
  const saturator = createSaturator({ connections: options.connections, core: cores.load, directory });
  const figures = new Figures();
  const faults: string[] = [];
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      say(faults.at(-1) ?? '');
    }
  };

  say('starting the peers');
  const contenders: Contender[] = [];
  for (const peer of peers) {
    if (peer.absent !== undefined) continue;
    await attempt(`${peer.name}, start`, async () => {
      contenders.push(await startContender(peer, setup));
    });
  }
  await delay(SETTLE_MS);
  for (const { name, pids } of contenders) {
    if (pids !== undefined) figures.add('rssIdle', name, rssMib(pids.plain));
  }

  say('warming up');
  for (const { name, ports, pids, pathFor } of contenders) {
    if (pids === undefined) continue;
    for (const port of options.quick ? [ports.plain] : Object.values(ports)) {
      await attempt(`${name}, warm-up`, async () => {
        await saturator.saturate({ port, tls: false, path: pathFor(SMALL_GET) }, 1);
      });
    }
  }
  const measures = createMeasures({ options, figures, saturator, core: cores.load });
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`round ${round} of ${options.rounds}`);
    for (const peer of peers) {
      if (peer.prepare === undefined || peer.absent !== undefined) continue;
      await attempt(`${peer.name}, start`, async () => {
        figures.add('startMs', peer.name, await timeStart(peer, setup));
      });
    }
    for (const measure of measures) {
      for (const contender of contenders) await attempt(contender.name, () => measure(contender));
    }
    await delay(SETTLE_MS);
    for (const { name, pids } of contenders) {
      if (pids !== undefined) figures.add('rssAfter', name, rssMib(pids.plain));
    }
  }

  const input = {
    machine: await describeMachine(),
    options,
    figures,
    measured: contenders.map(({ name }) => name),
    about: peers.map(({ name, about, absent }) => ({ name, about, absent })),
    upstream: upstream.made,
    generator: saturator.made,
    pinned: cores.peer !== undefined,
    verdicts: judge(figures),
    faults,
    tookSeconds: (performance.now() - startedAt) / 1000,
  };
  mkdirSync(dirname(options.out), { recursive: true });
  writeFileSync(options.out, reportJson(input));
  console.log(reportText(input));
  say(`figures written to ${options.out}`);
}

const options = readOptions(process.argv.slice(2), DEFAULT_OUT);
if (typeof options === 'string') {
  console.log(options);
} else {
  const directory = mkdtempSync(join(tmpdir(), 'open-bridge-bench-'));
  // nginx started by root reads as another user.
  chmodSync(directory, 0o755);
  const processes = createProcesses();
  const clean = async (): Promise<void> => {
    await processes.stopAll();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void clean().finally(() => process.exit(1)));
  }
  try {
    await bench(options, directory, processes);
  } finally {
    await clean();
  }
}
