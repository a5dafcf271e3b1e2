/** Sends the same request at a fixed rate, and prints the latencies. */
import { openConnection, requestBytes, type Target } from './connection.ts';
import { type OpenLoopResult, openLoop, type Pace, requestLane } from './open-loop.ts';

export type { OpenLoopResult } from './open-loop.ts';

/** What the generator is told. */
export interface OpenLoopSettings extends Target, Pace {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Most requests under way at once. */
  readonly connections: number;
}

async function main(settings: OpenLoopSettings): Promise<OpenLoopResult> {
  const request = requestBytes('GET', settings.path, settings.headers);
  const connections = await Promise.all(
    Array.from({ length: settings.connections }, () => openConnection(settings)),
  );
  const lanes = connections.map(connection => requestLane(connection, () => request));
  const result = await openLoop(lanes, settings);
  for (const connection of connections) connection.close();
  return result;
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as OpenLoopSettings)));
