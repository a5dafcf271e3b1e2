import type { Store } from '../stores/store.ts';
import type { AppDirectory } from './apps.ts';
import type { CredentialRef } from './credentials.ts';

/** How long an answer is remembered: a token in use is asked about at every call. */
const REMEMBER_MS = 5000;
const REMEMBERED = 4096;

/** The credential whose current value, or previous one within its grace, has a fingerprint; undefined for a stranger's. */
export type Recognize = (fingerprint: string) => Promise<CredentialRef | undefined>;

/** Recognises values that were ours to give, by the fingerprints in the store. */
export function createRecognition(deps: {
  readonly store: Store;
  readonly apps: AppDirectory;
  readonly now: () => number;
}): Recognize {
  const { store, apps, now } = deps;
  const remembered = new Map<string, { readonly ref: CredentialRef | undefined; readonly until: number }>();
  return async fingerprint => {
    const known = remembered.get(fingerprint);
    if (known !== undefined && now() < known.until) return known.ref;
    const row = await store.credentials.findByFingerprint(fingerprint);
    const app = row?.appid === undefined ? undefined : apps.find(row.appid);
    // A value past its grace is nobody's right to anything: it must not be traded for its successor.
    const ended =
      row !== undefined && row.fingerprint !== fingerprint && now() >= (row.previous?.expiresAt ?? 0);
    const ref = app !== undefined && row?.kind !== undefined && !ended ? { app, kind: row.kind } : undefined;
    if (remembered.size >= REMEMBERED) remembered.clear();
    // A stranger's token may become ours any moment: another process may just have been issued it.
    remembered.set(fingerprint, { ref, until: now() + (ref === undefined ? 0 : REMEMBER_MS) });
    return ref;
  };
}
