import type { CredentialRef } from '../../../credentials/credentials.ts';
import { isPushed } from '../../../credentials/plans.ts';
import type { CredentialKind } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { Handler } from '../../control.ts';
import { mayTouch } from '../../identity.ts';
import type { HandlerDeps } from '../deps.ts';
import { present } from './present.ts';

const APP_LEVEL: readonly CredentialKind[] = ['access-token', 'ticket', 'card-ticket'];

/** GET /v1/credentials: metadata of what each app can have; tickets, and tokens that no platform issues, only once there was one. */
export function listCredentials({ apps, authority, now }: HandlerDeps): Handler<'listCredentials'> {
  return async ({ identity }) => {
    const refs: CredentialRef[] = apps
      .all()
      .filter(app => identity !== undefined && mayTouch(identity, app))
      .flatMap(app =>
        APP_LEVEL.filter(kind => platformOf(app.platform).kindFault(kind) === undefined).map(kind => ({
          app,
          kind,
        })),
      );
    const statuses = await Promise.all(refs.map(ref => authority.status(ref)));
    const shown = statuses.filter(
      ({ ref, fingerprint, failure }) => isExpected(ref) || fingerprint || failure,
    );
    return { answer: { credentials: shown.map(status => present(status, now())) } };
  };
}

/** What an app has in any case, so that its absence is worth a line. */
function isExpected(ref: CredentialRef): boolean {
  return ref.kind === 'access-token' && (!isPushed(ref) || !ref.app.managed);
}
