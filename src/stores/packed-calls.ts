import type { CallRow } from './store.ts';

/** Changes with the form, so that a batch of another version is told from a damaged one. */
const VERSION = '1';

/** A caller chooses method and path, so neither may be trusted to be short. */
const METHOD_LENGTH = 32;
const PATH_LENGTH = 512;

/** What of a call repeats from one to the next. */
export type CallContext = Omit<
  CallRow,
  'seqid' | 'startedAt' | 'durationMs' | 'upstreamMs' | 'requestBytes' | 'answerBytes' | 'rid'
>;

/** So many contexts with one path are compared with a call. Beyond that one is repeated, which costs some bytes. */
const COMPARED = 32;

/** What a call has for itself: its context, seqid, start, durations and bytes. */
const CALL_FIELDS = 7;

/**
 * Calls as one text, which costs a database an eighth of what rows of their own do. What repeats is there
 * once, as a context, of which calls have the number. The text has four lines: the version; the contexts; the
 * calls, one after the other, behind the time that they count theirs from; the numbers of the calls with a
 * rid, each with it. All but the first are JSON arrays. Method and path are cut to a length.
 *
 * @example packCalls([call]) // '1\n[["GET","/wxa/x","::1","orders",…]]\n[1772337600123,0,"69a3b9c0-007b1f0e2d3c4b5a",0,23,…]\n[]'
 */
export function packCalls(rows: readonly CallRow[]): string {
  const contexts: CallContext[] = [];
  const byPath = new Map<string, number[]>();
  const base = Math.floor(rows[0]?.startedAt ?? 0);
  const calls: (number | string)[] = [base];
  const rids: (number | string)[] = [];

  function contextOf(row: CallRow): number {
    const path = row.path.slice(0, PATH_LENGTH);
    const method = row.method.slice(0, METHOD_LENGTH);
    const numbers = byPath.get(path) ?? [];
    if (numbers.length === 0) byPath.set(path, numbers);
    const last = numbers.length - 1;
    for (let at = last; at >= 0 && at > last - COMPARED; at -= 1) {
      const number = numbers[at] as number;
      if (isContextOf(contexts[number] as CallContext, row, method)) return number;
    }
    numbers.push(contexts.length);
    return contexts.push({ ...row, method, path }) - 1;
  }

  for (let number = 0; number < rows.length; number += 1) {
    const row = rows[number] as CallRow;
    if (row.rid !== undefined) rids.push(number, row.rid);
    calls.push(
      contextOf(row),
      row.seqid,
      Math.floor(row.startedAt) - base,
      Math.round(row.durationMs),
      Math.round(row.upstreamMs),
      row.requestBytes,
      row.answerBytes,
    );
  }
  return `${VERSION}\n${JSON.stringify(contexts.map(toStored))}\n${JSON.stringify(calls)}\n${JSON.stringify(rids)}`;
}

/** Whether a batch may hold a call with this seqid or rid; most that do not are passed over without being read. */
export function mayHold(packed: string, id: string): boolean {
  return packed.includes(JSON.stringify(id));
}

/**
 * The calls of a batch, in the order in which they were packed; those of unwanted contexts are left out,
 * unread where all are. Throws TypeError on a text that `packCalls` did not make.
 */
export function unpackCalls(
  packed: string,
  isWanted: (context: CallContext) => boolean = () => true,
): CallRow[] {
  const [version, first = '', second = '', third = ''] = packed.split('\n');
  if (version !== VERSION) throw new TypeError('the batch is of another version, or none');
  const contexts = arrayOf(first).map(toContext);
  const wanted = contexts.map(isWanted);
  if (!wanted.includes(true)) return [];
  const calls = arrayOf(second);
  const base = calls[0] as number;
  if (calls.length % CALL_FIELDS !== 1) throw new TypeError('a call of the batch is cut short');
  const rids = ridsOf(arrayOf(third));
  const rows: CallRow[] = [];
  for (let at = 1; at < calls.length; at += CALL_FIELDS) {
    const number = calls[at] as number;
    const context = contexts[number];
    if (context === undefined) throw new TypeError('a call of the batch has no context');
    if (!wanted[number]) continue;
    rows.push({
      ...context,
      seqid: calls[at + 1] as string,
      startedAt: base + (calls[at + 2] as number),
      durationMs: calls[at + 3] as number,
      upstreamMs: calls[at + 4] as number,
      requestBytes: calls[at + 5] as number,
      answerBytes: calls[at + 6] as number,
      rid: rids.get((at - 1) / CALL_FIELDS),
    });
  }
  return rows;
}

/** Field by field, as a text made of all of them costs three times as much. */
function isContextOf(context: CallContext, row: CallRow, method: string): boolean {
  return (
    context.remoteAddress === row.remoteAddress &&
    context.caller === row.caller &&
    context.appid === row.appid &&
    context.credential === row.credential &&
    context.status === row.status &&
    context.errcode === row.errcode &&
    context.failure === row.failure &&
    context.end === row.end &&
    context.sends === row.sends &&
    context.replayed === row.replayed &&
    context.injected === row.injected &&
    context.app === row.app &&
    context.platform === row.platform &&
    context.method === method
  );
}

type StoredContext = readonly (string | number | null)[];

function toStored(context: CallContext): StoredContext {
  return [
    context.method,
    context.path,
    context.remoteAddress,
    context.caller ?? null,
    context.platform ?? null,
    context.app ?? null,
    context.appid ?? null,
    context.injected ? 1 : 0,
    context.credential ?? null,
    context.status,
    context.errcode ?? null,
    context.failure ?? null,
    context.replayed ? 1 : 0,
    context.sends,
    context.end,
  ];
}

/** The types are those that `toStored` gave: a batch is written by this program alone. */
function toContext(stored: unknown): CallContext {
  if (!Array.isArray(stored) || stored.length !== CONTEXT_FIELDS)
    throw new TypeError('a context of the batch is cut short');
  const [method, path, remoteAddress, caller, platform, app, appid, ...others] = stored;
  const [injected, credential, status, errcode, failure, replayed, sends, end] = others;
  return {
    sends,
    method,
    path,
    remoteAddress,
    caller: caller ?? undefined,
    platform: platform ?? undefined,
    app: app ?? undefined,
    appid: appid ?? undefined,
    injected: injected === 1,
    credential: credential ?? undefined,
    status,
    errcode: errcode ?? undefined,
    failure: failure ?? undefined,
    replayed: replayed === 1,
    end,
  };
}

const CONTEXT_FIELDS = 15;

function ridsOf(pairs: readonly unknown[]): ReadonlyMap<number, string> {
  const rids = new Map<number, string>();
  for (let at = 0; at < pairs.length; at += 2) rids.set(pairs[at] as number, pairs[at + 1] as string);
  return rids;
}

function arrayOf(json: string): unknown[] {
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch (cause) {
    throw new TypeError('the batch is damaged', { cause });
  }
  if (!Array.isArray(content)) throw new TypeError('the batch is damaged');
  return content;
}
