/** Keeps every connection busy for a while: the saturation generator where there is no wrk. */
import type { Connection, Target } from './connection.ts';
import { openConnection, requestBytes } from './connection.ts';
import { monotonicMs } from './metronome.ts';

/** What the generator is told. */
export interface ClosedLoopSettings extends Target {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly connections: number;
  readonly seconds: number;
}

/** What the generator prints. */
export interface ClosedLoopResult {
  readonly requests: number;
  readonly seconds: number;
  readonly failed: number;
}

async function main(settings: ClosedLoopSettings): Promise<ClosedLoopResult> {
  const request = requestBytes(settings.method, settings.path, settings.headers, settings.body);
  const startedAt = monotonicMs();
  const end = startedAt + settings.seconds * 1000;
  let requests = 0;
  let failed = 0;
  const drive = async (): Promise<void> => {
    const connection = await openConnection(settings);
    await new Promise<void>(resolve => repeat(connection, resolve));
    connection.close();
  };
  const repeat = (connection: Connection, resolve: () => void): void => {
    connection.send(request, status => {
      requests += 1;
      if (status !== 200) failed += 1;
      if (status === 0 || monotonicMs() >= end) resolve();
      else repeat(connection, resolve);
    });
  };
  await Promise.all(Array.from({ length: settings.connections }, drive));
  return { requests, failed, seconds: (monotonicMs() - startedAt) / 1000 };
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as ClosedLoopSettings)));
