import type { Answered } from './http.ts';
import { APPS, type Stage } from './stage.ts';

/** A user of each app who has logged in. */
export type Users = Readonly<Record<(typeof APPS)[number]['name'], string>>;

const MINI_PROGRAMS = ['mp', 'qq-mp'];

/** Gives a user's client a code; who the user is, and all that is known of it, is planted. */
export function codeOf(stage: Stage, appid: string, use?: 'phone'): string {
  const { simulator, planted } = stage;
  const { code } = simulator.users.code(appid, {
    user: 'alice',
    ...(use === 'phone' && { use, phoneNumber: planted.add('phone-number', 'phone number', '13987604152') }),
    unionid: planted.make('unionid', `unionid in ${appid}`, 28),
  });
  return code;
}

/** Logs a user in with an app, over the control API. */
export function logIn(stage: Stage, app: (typeof APPS)[number], code: string): Promise<Answered> {
  return stage.http.ask(stage.control, {
    method: 'POST',
    target: '/v1/sessions/login',
    headers: { 'x-bridge-key': stage.keys.orders },
    body: {
      ...{ appid: app.name, code },
      ...(app.type === 'qq-app' && { redirect_uri: 'https://shop.example/back' }),
    },
    may: ['openid', 'unionid'],
  });
}

/** Logs a user of every app in, once with a code that works and then with some that do not. */
export async function driveLogins(stage: Stage): Promise<Users> {
  const { simulator, planted } = stage;
  const entries = await Promise.all(
    APPS.map(async app => {
      const code = codeOf(stage, app.appid);
      const { status, json, text } = await logIn(stage, app, code);
      if (status !== 200) throw new Error(`no login with ${app.name}: ${text}`);
      // Used up, never given out, of a user whom the platform does not trust.
      await logIn(stage, app, code);
      for (const prefix of ['invalid', 'blocked'])
        await logIn(
          stage,
          app,
          planted.add('sent', 'bad code', `${prefix}${planted.make('sent', app.name, 24)}`),
        );
      const openid = String(json['openid']);
      if (MINI_PROGRAMS.includes(app.type)) simulator.users.openData(app.appid, { openid });
      return [app.name, openid] as const;
    }),
  );
  return Object.fromEntries(entries) as Users;
}
