import type { Authority } from '../credentials/credentials.ts';
import type { Platform } from '../platforms/platform.ts';
import type { Call, Stage } from './call.ts';
import { untilFault } from './call.ts';
import { answerAsPlatform } from './platform-answer.ts';

/**
 * Answers requests for a ticket from the authority, in the platform's own form: its quota for tickets is
 * small, and every service asking for itself would use it up. Kinds the account cannot have, and calls
 * with a token of the caller's own, pass on to the platform.
 */
export function answerTickets({
  authority,
  now,
}: {
  readonly authority: Authority;
  readonly now: () => number;
}): Stage {
  return next => async call => {
    const kind = kindAsked(call);
    if (kind === undefined || call.app === undefined) return next(call);
    const ticket = await untilFault(call, authority.get({ app: call.app, kind }));
    call.errcode = 0;
    return answerAsPlatform({
      errcode: 0,
      errmsg: 'ok',
      ticket: ticket.value.reveal(),
      expires_in: Math.max(1, Math.floor((ticket.expiresAt - now()) / 1000)),
    });
  };
}

function kindAsked(call: Call) {
  const { ticketPath, plan } = call.platform as Platform;
  if (!call.injects || call.path !== ticketPath.path || call.incoming.method !== 'GET') return undefined;
  const type = new URLSearchParams(call.query).get('type') ?? '';
  const kind = Object.hasOwn(ticketPath.kinds, type) ? ticketPath.kinds[type] : undefined;
  return kind !== undefined && call.app !== undefined && plan(kind, call.app.tokenMode) !== undefined
    ? kind
    : undefined;
}
