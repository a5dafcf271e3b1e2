import type { Handler } from '../control.ts';
import { mayTouch } from '../identity.ts';
import type { HandlerDeps } from './deps.ts';

/** GET /v1/apps: the apps that whoever asks may act as. */
export function listApps({ apps }: HandlerDeps): Handler<'listApps'> {
  return async ({ identity }) => ({
    answer: {
      apps: apps
        .all()
        .filter(app => identity !== undefined && mayTouch(identity, app))
        .map(app => ({
          name: app.name,
          platform: app.platform,
          appid: app.appid,
          dcloudAppid: app.dcloudAppid ?? null,
          default: app.default,
          tokenEndpoint: app.tokenMode,
          renews: app.renews.map(kind => kind.replaceAll('-', '_')),
        })),
    },
  });
}
