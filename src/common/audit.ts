import type { AuditAction, AuditEvent } from '../access/audit.ts';
import { fingerprintOf } from '../base/secret.ts';
import type { CredentialRef, ValueObject } from '../credentials/credentials.ts';
import { METHODS, type MethodName, methodFor, type Verb } from './methods.ts';
import type { Detail, Operation } from './operation.ts';

const ACTIONS: Readonly<Record<Verb, AuditAction>> = {
  get: 'read',
  set: 'set',
  remove: 'remove',
  update: 'update',
};

/** The field of a value object that is the secret. */
const SECRET_FIELDS: Readonly<Record<(typeof METHODS)[MethodName]['kind'], string>> = {
  'access-token': 'access_token',
  'user-access-token': 'access_token',
  'session-key': 'session_key',
  'encrypt-key': 'encrypt_key',
  ticket: 'ticket',
};

/** An event without who caused it. */
export type AuditedWork = Omit<AuditEvent, 'actor' | 'remoteAddress'>;

/** What the audit log is told of an operation that was done; values in it by fingerprint alone. */
export function auditedWork(ref: CredentialRef, operation: Operation, detail: Detail): AuditedWork {
  const value = operation.verb === 'set' ? operation.value : detail.value;
  const credential = value ? fingerprintIn(operation.kind, value) : undefined;
  const found = operation.verb === 'get' && detail.state !== 'usable' ? detail.state : 'done';
  return { ...auditedTrial(methodFor(operation), ref, operation, found), credential };
}

/** What it is told of one that was tried, with what came of it. */
export function auditedTrial(
  method: MethodName,
  ref: CredentialRef | undefined,
  operation: Operation | undefined,
  outcome: string,
): AuditedWork {
  const { verb, kind } = METHODS[method];
  const openid = operation?.key.openid;
  return {
    action: ACTIONS[verb],
    outcome,
    kind,
    app: ref?.app,
    user: openid === undefined ? undefined : fingerprintOf(openid),
    detail: method,
  };
}

function fingerprintIn(kind: keyof typeof SECRET_FIELDS, value: ValueObject): string | undefined {
  const secret = value[SECRET_FIELDS[kind]];
  return typeof secret === 'string' ? fingerprintOf(secret) : undefined;
}
