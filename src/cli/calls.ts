import { Command, InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import type { CallBody, callDetail, callQuery, platformRecord } from '../contract/calls.ts';
import { count, instant } from './arguments.ts';
import { type CliContext, print } from './context.ts';
import { clientFor, type RemoteOptions, remote } from './remote.ts';

type Query = z.input<typeof callQuery>;

interface Options extends RemoteOptions {
  readonly rid?: boolean;
  readonly last: number;
  readonly failed?: boolean;
  readonly caller?: string;
  readonly app?: string;
  readonly errcode?: number;
  readonly before?: string;
}

/** `open-bridge calls`: what became of a call, and the latest calls. */
export function callsCommand(context: CliContext): Command {
  return remote(context, new Command('calls'))
    .description('find a call through the gateway by its x-openapi-seqid or rid, or list the latest ones')
    .argument('[seqid]', 'x-openapi-seqid of an answer, or the rid in its errmsg')
    .option('--rid', 'also ask the platform what it keeps of the call')
    .option('--last <n>', 'how many to list, the latest first', count, 20)
    .option('--failed', 'only calls that did not go well')
    .option('--caller <name>', 'only calls of this caller')
    .option('--app <app>', 'only calls as this app, by name or appid')
    .option('--errcode <n>', 'only calls that were answered with this errcode', wholeNumber)
    .option('--before <time>', 'only calls that began before this time, in ISO 8601', instant)
    .action(async (seqid: string | undefined, options: Options) => {
      const client = clientFor(context, options);
      if (seqid !== undefined) {
        const call = await client.getCall({ seqid, rid: options.rid === true });
        print(context, options.json, call, () => describe(call));
        return;
      }
      const { last, failed, caller, app, errcode, before } = options;
      const query: Query = { failed: failed === true, caller, app, errcode, before };
      const calls: CallBody[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.listCalls({ ...query, limit: Math.min(200, last - calls.length), cursor });
        calls.push(...page.calls);
        cursor = page.next ?? undefined;
      } while (cursor !== undefined && calls.length < last);
      print(context, options.json, { calls }, () =>
        calls.length === 0 ? ['no such call is in the call log'] : calls.map(inOneLine),
      );
    });
}

function wholeNumber(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

function inOneLine(call: CallBody): string {
  const who = `${call.caller ?? 'unknown caller'} as ${call.app ?? 'no app'}`;
  return `${call.startedAt}  ${verdict(call)}  ${call.method} ${call.path}  ${who}  ${call.durationMs} ms  ${call.seqid}`;
}

/** How a call ended, in the fewest words. */
function verdict({ status, errcode, failure, end }: CallBody): string {
  const words = [String(status)];
  if (errcode !== null) words.push(String(errcode));
  if (failure !== null) words.push(failure);
  if (end !== 'whole') words.push(end);
  return words.join(' ');
}

function describe(call: z.output<typeof callDetail>): string[] {
  const { app, appid, platform, credential, platformRecord } = call;
  const fields: [string, string | undefined][] = [
    ['call', call.seqid],
    ['time', call.startedAt],
    ['request', `${call.method} ${call.path}, ${call.requestBytes} bytes`],
    ['caller', `${call.caller ?? 'unknown'}, from ${call.remoteAddress}`],
    ['app', appid === null ? 'none' : `${app} (${appid}, ${platform})`],
    ['answer', `${verdict(call)}, ${call.answerBytes} bytes`],
    ['made by', madeBy(call)],
    ['took', `${call.durationMs} ms, of these ${call.upstreamMs} ms waiting for the platform`],
    ['credential', credential === null ? 'none of ours' : `${credential}${call.injected ? ', put in' : ''}`],
    ['rid', call.rid ?? undefined],
  ];
  const lines = fields.flatMap(([name, text]) => (text === undefined ? [] : [`${name.padEnd(11)}${text}`]));
  return platformRecord === null ? lines : [...lines, ...ofPlatform(platformRecord)];
}

function madeBy({ sends, replayed }: CallBody): string {
  if (sends === 0) return 'the gateway; the platform was not asked';
  return replayed ? 'the platform, asked again after its credential was repaired' : 'the platform';
}

function ofPlatform({ errcode, errmsg, request }: z.output<typeof platformRecord>): string[] {
  if (request === null) return [`platform   ${errcode} ${errmsg}`];
  return Object.entries(request).map(([name, told]) => `platform   ${name}: ${String(told)}`);
}
