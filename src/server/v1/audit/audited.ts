import {
  type Audit,
  type AuditAction,
  type AuditEvent,
  asRefused,
  outcomeOf,
} from '../../../access/audit.ts';
import { asBridgeError } from '../../../base/errors.ts';
import { fingerprintOf } from '../../../base/secret.ts';
import type { RouteName } from '../../../contract/routes.ts';
import type { AppDirectory } from '../../../credentials/apps.ts';
import type { ControlRequest, Handler, Handlers } from '../../control.ts';
import { actorOf } from '../../identity.ts';

/** What a request says of the credential it concerns. */
interface Concerned {
  /** Name or appid of the app. */
  readonly app?: string | undefined;
  readonly openid?: string | undefined;
  readonly kind?: string | undefined;
  readonly credential?: string | undefined;
  readonly detail?: string | undefined;
}

/** How a route stands in the audit log. */
interface Audited<Name extends RouteName> {
  readonly action: AuditAction;
  /** Changes something: answered once the entry is in the store. */
  readonly changes?: true;
  /** What the body says, the answer if there is one, and the path. */
  readonly concerns: (
    body: ControlRequest<Name>['body'],
    answer: Awaited<ReturnType<Handler<Name>>>['answer'] | undefined,
    params: ControlRequest<Name>['params'],
  ) => Concerned;
}

const storedKind = (name: string): string => name.replaceAll('_', '-');

/** The routes that use, replace or take back credentials. Those that tell metadata only are not among them. */
const AUDITED: { readonly [Name in RouteName]?: Audited<Name> } = {
  reportCredential: {
    action: 'report',
    concerns: ({ appid, kind, fingerprint, access_token }) => ({
      app: appid,
      kind: storedKind(kind),
      credential: fingerprint ?? fingerprintOf(access_token ?? ''),
    }),
  },
  rotateCredential: {
    action: 'rotate',
    changes: true,
    concerns: ({ appid, kind }, answer) => ({
      app: appid,
      kind: storedKind(kind),
      credential: answer?.fingerprint ?? undefined,
    }),
  },
  revokeTokens: {
    action: 'revoke',
    changes: true,
    // Of a caller that is not there the name is whatever somebody sent.
    concerns: (_body, answer) => ({
      kind: 'virtual-token',
      detail: answer && `tokens of ${answer.caller}`,
    }),
  },
  revokeKey: {
    action: 'revoke',
    changes: true,
    concerns: ({ caller, fingerprint }, answer) => ({
      kind: 'caller-key',
      credential: fingerprint ?? answer?.revoked[0],
      detail: `${fingerprint === undefined ? 'every key' : 'key'} of ${caller}`,
    }),
  },
  // What the drill itself does is told step by step by who carries it out.
  startLeakDrill: {
    action: 'leak-drill',
    changes: true,
    concerns: ({ rehearsal }, _answer, { app }) => ({
      app,
      kind: 'access-token',
      detail: rehearsal ? 'rehearsal' : 'start',
    }),
  },
  loginUser: {
    action: 'login',
    concerns: ({ appid }, answer) => ({ app: appid, openid: answer?.openid }),
  },
  checkSession: { action: 'use', concerns: ofUser },
  resetSession: { action: 'rotate', changes: true, concerns: ofUser },
  decryptOpenData: { action: 'use', concerns: ofUser },
  verifyRawData: { action: 'use', concerns: ofUser },
  signPage: { action: 'use', concerns: ({ appid }) => ({ app: appid, kind: 'ticket' }) },
  signCardToAdd: { action: 'use', concerns: ({ appid }) => ({ app: appid, kind: 'card-ticket' }) },
  signCardsToChoose: { action: 'use', concerns: ({ appid }) => ({ app: appid, kind: 'card-ticket' }) },
  getPhoneNumber: { action: 'use', concerns: ({ appid }) => ({ app: appid, kind: 'access-token' }) },
};

function ofUser({ appid, openid }: { readonly appid: string; readonly openid: string }): Concerned {
  return { app: appid, openid, kind: 'session-key' };
}

/** The same handlers, with what they do with credentials in the audit log. */
export function auditedHandlers(
  handlers: Handlers,
  deps: { readonly audit: Audit; readonly apps: AppDirectory },
): Handlers {
  const names = Object.keys(handlers) as RouteName[];
  return Object.fromEntries(names.map(name => [name, audited(name, handlers, deps)])) as unknown as Handlers;
}

function audited<Name extends RouteName>(
  name: Name,
  handlers: Handlers,
  { audit, apps }: { readonly audit: Audit; readonly apps: AppDirectory },
): Handler<Name> {
  const handle = handlers[name] as Handler<Name>;
  const how = AUDITED[name] as Audited<Name> | undefined;
  if (how === undefined) return handle;
  return async request => {
    const tell = (outcome: string, answer: Parameters<typeof how.concerns>[1]): AuditEvent => {
      const {
        app,
        openid,
        kind,
        credential,
        detail = name,
      } = how.concerns(request.body, answer, request.params);
      return {
        action: how.action,
        outcome,
        actor: actorOf(request.identity),
        remoteAddress: request.remoteAddress,
        ...{ kind, credential, detail },
        app: app === undefined ? undefined : apps.find(app),
        user: openid === undefined ? undefined : fingerprintOf(openid),
      };
    };
    let reply: Awaited<ReturnType<Handler<Name>>>;
    try {
      reply = await handle(request);
    } catch (thrown) {
      audit.note(asRefused(tell(outcomeOf(asBridgeError(thrown)), undefined)));
      throw thrown;
    }
    const event = tell('done', reply.answer);
    if (how.changes) await audit.record(event);
    else audit.note(event);
    return reply;
  };
}
