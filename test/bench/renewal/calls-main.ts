/** Calls a gateway at a fixed rate, each time as another account, and prints the latencies. */
import { openConnection, requestBytes } from '../load/connection.ts';
import { type OpenLoopResult, openLoop, type Pace, requestLane } from '../load/open-loop.ts';
import { HEADERS, SMALL_ANSWER } from '../traffic.ts';
import { appidOf } from './accounts.ts';

/** What the generator is told. */
export interface CallSettings extends Pace {
  readonly port: number;
  readonly apps: number;
  readonly connections: number;
}

async function main(settings: CallSettings): Promise<OpenLoopResult> {
  const nextRequest = (): Buffer => {
    const appid = appidOf(Math.floor(Math.random() * settings.apps));
    return requestBytes('GET', `/wxa/getwxadevinfo?from_appid=${appid}`, HEADERS);
  };
  const connections = await Promise.all(
    Array.from({ length: settings.connections }, () => openConnection({ port: settings.port, tls: false })),
  );
  const lanes = connections.map(connection => requestLane(connection, nextRequest, SMALL_ANSWER));
  const result = await openLoop(lanes, settings);
  for (const connection of connections) connection.close();
  return result;
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as CallSettings)));
