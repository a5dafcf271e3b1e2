import type { CallRow, CredentialRow, FailureRow } from '../../src/stores/store.ts';

/** Rows with nothing in them but what there must be, for tests of statements and not of values. */

export const BARE_CREDENTIAL: CredentialRow = {
  id: 'a',
  value: '{}',
  expiresAt: 1,
  platform: undefined,
  appid: undefined,
  kind: undefined,
  epoch: 1,
  issuedAt: undefined,
  renewAt: undefined,
  background: false,
  fingerprint: undefined,
  previous: undefined,
};

export const BARE_FAILURE: FailureRow = {
  id: 'a',
  identity: 'i',
  code: 'CREDENTIAL_UNAVAILABLE',
  errcode: undefined,
  errmsg: '',
  errorClass: 'busy',
  hint: undefined,
  failures: 1,
  failedAt: 1,
  retryAt: 1,
};

export const BARE_CALL: CallRow = {
  seqid: '69a3b9c0-0000000000000001',
  startedAt: 1,
  durationMs: 1,
  upstreamMs: 1,
  sends: 1,
  method: 'GET',
  path: '/',
  remoteAddress: '::1',
  caller: undefined,
  platform: undefined,
  app: undefined,
  appid: undefined,
  injected: false,
  credential: undefined,
  status: 200,
  errcode: undefined,
  rid: undefined,
  failure: undefined,
  replayed: false,
  requestBytes: 0,
  answerBytes: 0,
  end: 'whole',
};
