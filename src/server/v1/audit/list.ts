import type { AuditLog } from '../../../access/audit-log.ts';
import { BridgeError } from '../../../base/errors.ts';
import type { AppDirectory } from '../../../credentials/apps.ts';
import type { AuditCursor, AuditTable } from '../../../stores/store.ts';
import type { Handler } from '../../control.ts';
import { type Identity, mayTouch } from '../../identity.ts';
import { presentEntry } from './present.ts';

/** What reading the audit log needs. */
export interface AuditDeps {
  readonly table: AuditTable;
  readonly auditLog: Pick<AuditLog, 'flush'>;
  readonly apps: AppDirectory;
}

/** GET /v1/audit: the latest entries first, of those whoever asks may see. */
export function listAudit({ table, auditLog, apps }: AuditDeps): Handler<'listAudit'> {
  return async ({ query, identity }) => {
    const cursor = query.cursor === undefined ? undefined : readCursor(query.cursor);
    await auditLog.flush();
    const { rows, next } = await table.list({
      appids: appidsWanted(apps, identity, query.app),
      credential: query.credential,
      actor: query.actor,
      action: query.action,
      since: query.since === undefined ? undefined : Date.parse(query.since),
      until: query.until === undefined ? undefined : Date.parse(query.until),
      limit: query.limit,
      cursor,
    });
    return {
      answer: { entries: rows.map(presentEntry), next: next === undefined ? null : writeCursor(next) },
    };
  };
}

/** GET /v1/audit/heads: the last entry of each chain. */
export function listAuditHeads({ table, auditLog }: AuditDeps): Handler<'listAuditHeads'> {
  return async ({ query }) => {
    await auditLog.flush();
    return { answer: { heads: [...(await table.heads(query.limit))] } };
  };
}

/** Appids whose entries are wanted and may be seen; undefined for all entries, those on no app too. */
function appidsWanted(
  apps: AppDirectory,
  identity: Identity | undefined,
  named: string | undefined,
): readonly string[] | undefined {
  if (identity === undefined) throw new TypeError('the audit log is never shown to everybody');
  // Entries on an app that was removed are found by its appid.
  const wanted = named === undefined ? undefined : (apps.find(named)?.appid ?? named);
  if (identity.type === 'admin' || identity.caller.apps === undefined)
    return wanted === undefined ? undefined : [wanted];
  const own = apps
    .all()
    .filter(app => mayTouch(identity, app))
    .map(app => app.appid);
  return wanted === undefined ? own : own.filter(appid => appid === wanted);
}

function writeCursor({ at, chain, number }: AuditCursor): string {
  return `${at}/${chain}/${number}`;
}

function readCursor(text: string): AuditCursor {
  const [, at, chain, number] = /^(\d{1,16})\/([0-9a-f]{8,16}-[0-9a-f]{16})\/(\d{1,16})$/.exec(text) ?? [];
  if (at !== undefined && chain !== undefined && number !== undefined)
    return { at: Number(at), chain, number: Number(number) };
  throw new BridgeError('REQUEST_MALFORMED', 'the cursor is not one', {
    hint: 'pass `next` of the page before as it is',
  });
}
