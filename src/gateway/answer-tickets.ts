import type { Audit } from '../access/audit.ts';
import type { Authority, CredentialRef } from '../credentials/credentials.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Answer, Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { answerAsPlatform } from './platform-answer.ts';

/** What answering requests for tickets needs. */
export interface AnswerTicketsOptions {
  readonly authority: Authority;
  readonly audit?: Pick<Audit, 'note'> | undefined;
  readonly now: () => number;
}

/**
 * Answers requests for a ticket from the authority, in the platform's own form: its quota for tickets is
 * small, and every service asking for itself would use it up. Kinds the account cannot have, and calls
 * with a token of the caller's own, pass on to the platform.
 */
export function answerTickets(options: AnswerTicketsOptions): Stage {
  return next => call => {
    const { app } = call;
    const kind = kindAsked(call);
    return kind === undefined || app === undefined ? next(call) : answer(call, { app, kind }, options);
  };
}

async function answer(
  call: Call,
  ref: CredentialRef,
  { authority, audit, now }: AnswerTicketsOptions,
): Promise<Answer> {
  const ticket = await untilFault(call, authority.get(ref));
  call.errcode = 0;
  audit?.note({
    action: 'token-issued',
    outcome: 'done',
    actor: call.caller?.name,
    remoteAddress: call.incoming.remoteAddress,
    kind: ref.kind,
    app: ref.app,
    credential: ticket.value.fingerprint,
    detail: 'real',
  });
  return answerAsPlatform({
    errcode: 0,
    errmsg: 'ok',
    ticket: ticket.value.reveal(),
    expires_in: Math.max(1, Math.floor((ticket.expiresAt - now()) / 1000)),
  });
}

function kindAsked(call: Call) {
  const { ticketPath, kindFault } = call.platform as Platform;
  if (!call.injects || ticketPath === undefined) return undefined;
  if (call.path !== ticketPath.path || call.incoming.method !== 'GET') return undefined;
  const type = new URLSearchParams(call.query).get('type') ?? '';
  const kind = Object.hasOwn(ticketPath.kinds, type) ? ticketPath.kinds[type] : undefined;
  return kind !== undefined && kindFault(kind) === undefined ? kind : undefined;
}
