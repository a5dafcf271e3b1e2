import { z } from 'zod';
import type { Examination } from './check.ts';

/** As many calls as are told of one by one. */
const SHOWN = 5;

/** A call is listed once its answer has left the gateway, by another node after another moment. */
const LATE_MS = 400;

/** Calls that reached the gateway in a while. */
export interface Arrived {
  readonly count: number;
  /** Them in words. */
  readonly told: string;
}

/** A moment from which calls are counted. */
export interface CallMark {
  /** What has arrived since; undefined when that cannot be said for sure. */
  since(): Promise<Arrived | undefined>;
}

/** What is read of the list of calls; it may hold more. */
const callList = z.object({
  calls: z.array(
    z.object({
      seqid: z.string(),
      method: z.string(),
      path: z.string(),
      status: z.number().nullish(),
      errcode: z.number().nullish(),
    }),
  ),
});

type Call = z.infer<typeof callList>['calls'][number];

/**
 * Notes which calls the running bridge has seen; undefined when it keeps no list or does not show it.
 */
export async function markCalls(exam: Examination): Promise<CallMark | undefined> {
  const before = await latestCalls(exam);
  if (before === undefined) return undefined;
  const known = new Set(before.map(({ seqid }) => seqid));
  return {
    async since() {
      let fresh = await freshCalls(exam, known);
      if (fresh?.length === 0) {
        await exam.world.clock.sleep(LATE_MS);
        fresh = await freshCalls(exam, known);
      }
      if (fresh === undefined || (fresh.length === 0 && !seesAll(exam))) return undefined;
      return { count: fresh.length, told: inWords(fresh) };
    },
  };
}

/** A caller is shown its own calls only, so that it sees none does not mean that there are none. */
function seesAll({ config, world }: Examination): boolean {
  return world.env['OPEN_BRIDGE_ADMIN_KEY'] !== undefined || config.settings?.callers.length === 0;
}

async function freshCalls(
  exam: Examination,
  known: ReadonlySet<string>,
): Promise<readonly Call[] | undefined> {
  return (await latestCalls(exam))?.filter(({ seqid }) => !known.has(seqid));
}

async function latestCalls({ controlUrl, world }: Examination): Promise<readonly Call[] | undefined> {
  if (controlUrl === undefined) return undefined;
  const { env, wire, timeoutMs } = world;
  const [adminKey, callerKey] = [env['OPEN_BRIDGE_ADMIN_KEY'], env['OPEN_BRIDGE_CALLER_KEY']];
  const headers = {
    ...(adminKey !== undefined && { authorization: `Bearer ${adminKey}` }),
    ...(callerKey !== undefined && { 'x-bridge-key': callerKey }),
  };
  const url = new URL('/v1/calls?limit=100', controlUrl).href;
  const reply = await wire.ask({ url, headers, timeoutMs }).catch(() => undefined);
  const read = callList.safeParse(reply?.json);
  return reply?.status === 200 && read.success ? read.data.calls : undefined;
}

function inWords(calls: readonly Call[]): string {
  if (calls.length === 0) return 'none';
  const shown = calls
    .slice(0, SHOWN)
    .map(({ method, path, status, errcode }) =>
      `${method} ${path} ${status ?? ''}${errcode ? ` errcode ${errcode}` : ''}`.trim(),
    );
  return calls.length > SHOWN ? `${shown.join(', ')} and ${calls.length - SHOWN} more` : shown.join(', ');
}
