import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, run } from '../processes.ts';
import { HEADERS } from '../traffic.ts';
import type { ClosedLoopResult, ClosedLoopSettings } from './closed-loop-main.ts';
import type { Target } from './connection.ts';

/** One kind of small request. */
export interface SmallRequest extends Target {
  readonly path: string;
  /** Makes it a POST. */
  readonly body?: string | undefined;
}

/** What came of sending as fast as answers came. */
export interface Saturation {
  readonly requests: number;
  readonly perSecond: number;
}

/** Keeps a number of connections busy for a while. */
export interface Saturator {
  /** What does it, for the report. */
  readonly made: string;
  /** Rejects when any answer was not a 200. */
  saturate(request: SmallRequest, seconds: number): Promise<Saturation>;
}

/** What a saturator is made of. */
export interface SaturatorOptions {
  readonly connections: number;
  readonly core: number | undefined;
  readonly directory: string;
}

/** Makes the saturator: wrk, which takes little of the core it shares with the upstream, else our own. */
export function createSaturator(options: SaturatorOptions): Saturator {
  const wrk = findProgram('wrk');
  return wrk === undefined ? ownSaturator(options) : wrkSaturator(wrk, options);
}

function wrkSaturator(wrk: string, { connections, core, directory }: SaturatorOptions): Saturator {
  const script = join(directory, 'post.lua');
  return {
    made: `wrk, one thread, ${connections} connections`,
    async saturate({ port, tls, path, body }, seconds) {
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s'];
      for (const [name, value] of Object.entries(HEADERS)) args.push('-H', `${name}: ${value}`);
      if (body !== undefined) {
        const text = `wrk.method = "POST"\nwrk.body = [==[${body}]==]\nwrk.headers["content-type"] = "application/json"\n`;
        writeFileSync(script, text);
        args.push('-s', script);
      }
      args.push(`${tls ? 'https' : 'http'}://127.0.0.1:${port}${path}`);
      const out = await run(wrk, args, core);
      const requests = Number(/(\d+) requests in/.exec(out)?.[1]);
      const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(out)?.[1]);
      const trouble = /Non-2xx[^\n]*|Socket errors:[^\n]*/.exec(out)?.[0];
      if (trouble !== undefined || !(requests > 0))
        throw new Error(`wrk on port ${port}${path}: ${trouble ?? out}`);
      return { requests, perSecond };
    },
  };
}

function ownSaturator({ connections, core }: SaturatorOptions): Saturator {
  const main = join(import.meta.dirname, 'closed-loop-main.ts');
  return {
    made: `a closed loop of our own, ${connections} connections`,
    async saturate({ port, tls, path, body }, seconds) {
      const settings: ClosedLoopSettings = {
        port,
        tls,
        path,
        body,
        method: body === undefined ? 'GET' : 'POST',
        headers: HEADERS,
        connections,
        seconds,
      };
      const out = await run(process.execPath, [main, JSON.stringify(settings)], core);
      const result = JSON.parse(out) as ClosedLoopResult;
      if (result.failed > 0) throw new Error(`${result.failed} calls to port ${port}${path} failed`);
      return { requests: result.requests, perSecond: result.requests / result.seconds };
    },
  };
}
