import { FAILING, failingAppid } from './failing-apps.ts';
import type { Stage } from './stage.ts';

/** Asks for the token of every app that fails, in every way there is. */
export async function driveFailures({ http, control, gateway, keys, secrets }: Stage): Promise<void> {
  const headers = { 'x-bridge-key': keys.orders };
  await Promise.all(
    FAILING.flatMap(app => {
      const appid = failingAppid(app);
      const asSdk = { grant_type: 'client_credential', appid, secret: secrets[app] ?? '' };
      return [
        http.ask(control, {
          ...{ method: 'POST', target: '/uni-open-bridge/getAccessToken', headers, body: { appid } },
        }),
        http.ask(control, { method: 'POST', target: '/v1/credentials/rotate', headers, body: { appid } }),
        http.ask(gateway, { target: `/wxa/getwxadevinfo?from_appid=${appid}`, headers }),
        http.ask(gateway, { target: `/cgi-bin/token?${new URLSearchParams(asSdk)}` }),
        http.ask(gateway, { method: 'POST', target: '/cgi-bin/stable_token', body: asSdk }),
      ];
    }),
  );
  await http.ask(control, { target: '/v1/credentials', headers });
}
