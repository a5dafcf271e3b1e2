import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildGateway } from './build.ts';
import { makeCertificate } from './certificate.ts';
import { type Contender, startContender, timeStart } from './contenders.ts';
import { createSaturator } from './load/saturate.ts';
import { createMeasures } from './measures.ts';
import { Figures } from './metrics.ts';
import { NAMES } from './options.ts';
import { createAttempt, type PartReport, type PartSetup } from './part.ts';
import { gatewayPeer } from './peers/gateway.ts';
import { haproxyPeer } from './peers/haproxy.ts';
import { nginxPeer } from './peers/nginx.ts';
import { fastifyPeer, httpProxy3Peer } from './peers/node-proxies.ts';
import { direct, type Peer } from './peers/peer.ts';
import { rssMib } from './processes.ts';
import { reportData, reportText } from './report.ts';
import { judge } from './targets.ts';
import { SMALL_GET } from './traffic.ts';
import { startUpstream } from './upstream/upstream.ts';

const SETTLE_MS = 1500;

async function makePeers({ options, directory, main }: PartSetup): Promise<readonly Peer[]> {
  const wanted = (name: string): boolean => options.only?.has(name) ?? name !== 'gateway-quiet';
  const peers = [direct, nginxPeer(), haproxyPeer(), httpProxy3Peer, fastifyPeer];
  peers.push(
    gatewayPeer({ name: 'gateway', main, logLevel: 'info' }),
    gatewayPeer({ name: 'gateway-quiet', main, logLevel: 'warn' }),
  );
  const names = [...peers.map(peer => peer.name), ...Object.values(NAMES).flat()];
  const unknown = [...(options.only ?? [])].find(name => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`--only: ${unknown} is none of ${names.join(', ')}`);
  const usual = peers.filter(peer => wanted(peer.name));
  for (const [name, checkout] of options.against) {
    const other = await buildGateway(resolve(checkout), join(directory, `build-${name}`));
    usual.push(gatewayPeer({ name: `gateway-${name}`, main: other, logLevel: 'info' }));
  }
  return usual;
}

/** After two seconds the compiler of JavaScript still takes 7 to 13 µs of each call, after five a tenth of that. */
const WARM_UP_SECONDS = 5;

/** Measures calls through the gateway, beside other proxies. */
export async function measureGateway(setup: PartSetup): Promise<PartReport> {
  const { options, directory, processes, cores, say } = setup;
  const startedAt = performance.now();
  const certificate = await makeCertificate(directory);
  const peers = await makePeers(setup);
  const upstream = await startUpstream({ processes, directory, certificate, core: cores.load });
  const started = { processes, directory, upstream, core: cores.peer };
  const saturator = createSaturator({ connections: options.connections, core: cores.load, directory });
  const figures = new Figures();
  const faults: string[] = [];
  const attempt = createAttempt(faults, say);

  say('starting the peers');
  const contenders: Contender[] = [];
  for (const peer of peers) {
    if (peer.absent !== undefined) continue;
    await attempt(`${peer.name}, start`, async () => {
      contenders.push(await startContender(peer, started));
    });
  }
  await delay(SETTLE_MS);
  for (const { name, pids } of contenders) {
    if (pids !== undefined) figures.add('rssIdle', name, rssMib(pids.plain));
  }

  say('warming up');
  const warmUpSeconds = options.quick ? 1 : WARM_UP_SECONDS;
  for (const { name, ports, pids, pathFor } of contenders) {
    if (pids === undefined) continue;
    for (const port of options.quick ? [ports.plain] : Object.values(ports)) {
      await attempt(`${name}, warm-up`, async () => {
        await saturator.saturate({ port, tls: false, path: pathFor(SMALL_GET) }, warmUpSeconds);
      });
    }
  }
  const measures = createMeasures({ options, figures, saturator, core: cores.load });
  for (let round = 1; round <= options.rounds; round += 1) {
    say(`round ${round} of ${options.rounds}`);
    for (const peer of peers) {
      if (peer.prepare === undefined || peer.absent !== undefined) continue;
      await attempt(`${peer.name}, start`, async () => {
        figures.add('startMs', peer.name, await timeStart(peer, started));
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
  return { text: reportText(input), data: reportData(input) };
}
