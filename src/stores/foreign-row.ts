import type { CredentialRow } from './store.ts';

/**
 * A row as uniCloud writes it: a value and its end (milliseconds since the Unix epoch, Infinity for never),
 * without what the authority notes beside its own.
 */
export function foreignRow(id: string, value: string, expiresAt: number): CredentialRow {
  return {
    id,
    value,
    expiresAt,
    platform: undefined,
    appid: undefined,
    kind: undefined,
    epoch: 0,
    issuedAt: undefined,
    renewAt: undefined,
    background: false,
    fingerprint: undefined,
    previous: undefined,
  };
}
