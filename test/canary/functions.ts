import { getSecureHeaders } from '../../src/common/index.ts';
import { METHOD_NAMES, METHODS, type MethodName, type Verb } from '../../src/common/methods.ts';
import { eventually } from '../support/redis-server.ts';
import type { Answered } from './http.ts';
import type { CanaryKind } from './planted.ts';
import { APPS, DCLOUD, type Stage } from './stage.ts';
import type { Users } from './users.ts';

type BridgeKind = (typeof METHODS)[MethodName]['kind'];

/** A kind of credential: whose it is, what a caller may push in, and what an answer to a get may show. */
interface KindDrive {
  readonly key: (users: Users) => Readonly<Record<string, unknown>>;
  readonly value: (make: (field: string) => string) => Readonly<Record<string, string>>;
  readonly may: readonly CanaryKind[];
}

/** How functions of each kind are called. A kind that is missing here fails the test. */
export const KIND_DRIVES: { readonly [Kind in BridgeKind]: KindDrive } = {
  'access-token': {
    key: () => ({ platform: 'weixin-mp' }),
    value: make => ({ access_token: make('access_token') }),
    may: ['access-token'],
  },
  'user-access-token': {
    key: users => ({ platform: 'weixin-h5', openid: users.news }),
    value: make => ({ access_token: make('access_token'), refresh_token: make('refresh_token') }),
    may: ['user-access-token', 'refresh-token', 'openid', 'unionid'],
  },
  'session-key': {
    key: users => ({ platform: 'weixin-mp', openid: users.shop }),
    value: make => ({ session_key: Buffer.from(make('session_key').slice(0, 16)).toString('base64') }),
    may: ['session-key', 'openid', 'unionid'],
  },
  'encrypt-key': {
    key: users => ({ platform: 'weixin-mp', openid: users.shop, version: 1 }),
    value: make => ({ encrypt_key: make('encrypt_key'), iv: make('iv').slice(0, 16) }),
    may: ['encrypt-key', 'openid'],
  },
  ticket: {
    key: () => ({ platform: 'weixin-h5' }),
    value: make => ({ ticket: make('ticket') }),
    may: ['ticket'],
  },
};

/** An update needs what a remove takes away. */
const ORDER: readonly Verb[] = ['update', 'get', 'set', 'remove'];

function driveOf(kind: BridgeKind): KindDrive {
  const drive: KindDrive | undefined = KIND_DRIVES[kind];
  if (drive === undefined) throw new Error(`functions of the kind ${kind} are neither driven nor excused`);
  return drive;
}

function inputOf(stage: Stage, method: MethodName, users: Users): Readonly<Record<string, unknown>> {
  const { verb, kind } = METHODS[method];
  const { key, value } = driveOf(kind);
  const make = (field: string): string => stage.planted.make(kind, `${field} that was pushed in`);
  const pushed = verb === 'set' && { value: value(make), expiresIn: 3600 };
  for (const text of Object.values(Object(Object(pushed).value)))
    stage.planted.add(kind, `${kind} that was pushed in`, String(text));
  return { dcloudAppid: DCLOUD, ...key(users), ...pushed };
}

function post(
  stage: Stage,
  method: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answered> {
  const known = METHOD_NAMES.find(name => name === method);
  return stage.http.ask(stage.control, {
    ...{ method: 'POST', target: `/uni-open-bridge/${method}`, headers, body },
    may: known !== undefined && METHODS[known].verb === 'get' ? driveOf(METHODS[known].kind).may : [],
  });
}

/** Calls every function as every kind of caller; unless told that it cannot, every one must succeed. */
export async function driveFunctions(stage: Stage, users: Users, mustSucceed = true): Promise<void> {
  const { keys, s2s } = stage;
  const signed = (data: Readonly<Record<string, unknown>>): Record<string, string> => ({
    ...getSecureHeaders({
      data,
      s2s: { type: s2s.type, [s2s.type === 'sign' ? 'signKey' : 'connectCode']: s2s.secret },
    }),
  });
  for (const verb of ORDER)
    for (const method of METHOD_NAMES.filter(name => METHODS[name].verb === verb)) {
      const input = inputOf(stage, method, users);
      // By the last of them what is set is there for the next verb.
      const ways = [
        { body: input, headers: { 'x-bridge-key': keys.orders } },
        { body: { ...input, detail: true }, headers: { authorization: `Bearer ${keys.admin}` } },
        { body: input, headers: signed(input) },
      ];
      for (const { body, headers } of ways) {
        const { status, text } = await post(stage, method, body, headers);
        if (mustSucceed && status !== 200) throw new Error(`${method} does not succeed: ${status} ${text}`);
      }
    }
}

/** Has every function fail in all the ways that requests can be wrong, with canaries in what is sent. */
export async function driveFunctionRefusals(stage: Stage, users: Users): Promise<void> {
  const { keys, planted, http, control } = stage;
  const sent = planted.make('sent', 'value in a bad request of the functions');
  const id = planted.make('id', 'name of nothing, in the functions');
  const known = { 'x-bridge-key': keys.orders };
  await Promise.all(
    METHOD_NAMES.map(async method => {
      const input = inputOf(stage, method, users);
      const strangers: Record<string, string>[] = [
        ...[{}, { 'x-bridge-key': keys.nobody }, { authorization: `Bearer ${keys.nobody}` }],
        ...[{ 'x-bridge-key': keys.limited }, { 'x-bridge-key': keys.expired }],
        { 'unicloud-s2s-authorization': `CONNECTCODE ${sent}` },
        { 'unicloud-s2s-timestamp': '1', 'unicloud-s2s-signature': `HMAC-SHA256 ${sent}` },
        { 'unicloud-s2s-timestamp': sent, 'unicloud-s2s-signature': sent },
      ];
      for (const headers of strangers) await post(stage, method, input, headers);
      const value = { access_token: sent, session_key: sent, encrypt_key: sent, iv: sent, ticket: sent };
      const bodies = [
        ...[`{"access_token":"${sent}`, JSON.stringify(sent), [sent], `value=${sent}`, ''],
        ...[{ value }, { ...input, openid: `${sent} ${sent}`, version: sent }],
        ...[
          { ...input, value: sent },
          { ...input, value: { access_token: { sent }, session_key: [sent] } },
        ],
        ...[
          { ...input, value: { [sent]: sent } },
          { ...input, value: [sent], expiresIn: sent },
        ],
        ...[
          { ...input, expiresIn: undefined, expireIn: 5, value },
          { ...input, value: { access_token: sent.repeat(2000) } },
        ],
        ...[
          { ...input, detail: sent, value },
          { ...input, obtain: { sent }, value },
        ],
        ...[
          { ...input, openid: { sent } },
          { ...input, openid: sent.repeat(9) },
        ],
        { ...input, platform: id, value },
        { ...input, dcloudAppid: id, value },
        { appid: id, openid: sent, version: 1, value },
      ];
      for (const body of bodies) await post(stage, method, body, known);
      await post(stage, method, `platform=weixin-mp&openid=${sent}&openid=${sent}`, {
        ...{ ...known, 'content-type': 'application/x-www-form-urlencoded' },
      });
      await http.ask(control, { target: `/uni-open-bridge/${method}?access_token=${sent}`, headers: known });
      await http.ask(control, { target: `/uni-open-bridge/${method}/x?secret=${sent}`, headers: known });
    }),
  );
  await post(stage, 'getAccessTokens', { value: sent }, known);
}

/** Has a user's token renewed by its refresh token, and has the user withdraw its consent. */
export async function driveRefresh(stage: Stage, users: Users): Promise<void> {
  const { http, control, keys, simulator } = stage;
  const [, , { appid, platform }] = APPS;
  const openid = users.site;
  const get = () =>
    http.ask(control, {
      ...{ method: 'POST', target: '/uni-open-bridge/getUserAccessToken' },
      headers: { 'x-bridge-key': keys.orders },
      body: { appid, platform, openid },
      may: driveOf('user-access-token').may,
    });
  const renewals = (): number => simulator.counters(appid).calls['/sns/oauth2/refresh_token'] ?? 0;
  await eventually(async () => (await get()).status === 200 && renewals() > 0);
  simulator.users.change(appid, { openid, withdrawConsent: true });
  const before = renewals();
  await eventually(async () => (await get()).json['access_token'] === undefined && renewals() > before);
}
