import type { CredentialStatusBody, KIND_NAMES } from '../../../contract/credentials.ts';
import type { CredentialStatus } from '../../../credentials/credentials.ts';
import { isPushed } from '../../../credentials/plans.ts';
import type { CredentialKind } from '../../../platforms/platform.ts';

type KindName = (typeof KIND_NAMES)[number];

/** The stored word for a kind as the API writes it. */
export function kindOf(name: KindName): CredentialKind {
  return name.replaceAll('_', '-') as CredentialKind;
}

/** A credential's metadata as the API shows it at `now`. */
export function present(status: CredentialStatus, now: number): CredentialStatusBody {
  const { app, kind } = status.ref;
  const { failure, expiresAt } = status;
  return {
    app: app.name,
    appid: app.appid,
    platform: app.platform,
    kind: kind.replaceAll('-', '_') as KindName,
    pushed: isPushed(status.ref),
    fingerprint: status.fingerprint ?? null,
    epoch: status.epoch,
    issuedAt: moment(status.issuedAt),
    expiresAt: moment(expiresAt),
    expiresInSeconds:
      expiresAt === undefined || !Number.isFinite(expiresAt)
        ? null
        : Math.max(0, Math.floor((expiresAt - now) / 1000)),
    renewAt: moment(status.renewAt),
    failure:
      failure === undefined
        ? null
        : {
            errcode: failure.errcode ?? null,
            errmsg: failure.errmsg,
            class: failure.errorClass,
            hint: failure.hint ?? null,
            failures: failure.failures,
            failedAt: new Date(failure.failedAt).toISOString(),
            retryAt: new Date(failure.retryAt).toISOString(),
          },
    earlyEnds:
      status.earlyEnds === undefined
        ? null
        : { ...status.earlyEnds, lastAt: new Date(status.earlyEnds.lastAt).toISOString() },
  };
}

function moment(at: number | undefined): string | null {
  return at === undefined || !Number.isFinite(at) ? null : new Date(at).toISOString();
}
