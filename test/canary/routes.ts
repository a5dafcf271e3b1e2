import { ROUTES, type Route, type RouteName } from '../../src/contract/routes.ts';
import type { Answered } from './http.ts';
import type { CanaryKind } from './planted.ts';
import { APPS, type Stage } from './stage.ts';
import { codeOf, type Users } from './users.ts';

/** What a route is sent, divided as in the contract. */
interface Input {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
}

interface RouteDrive {
  /** What it takes to succeed. */
  readonly input: (stage: Stage, users: Users) => Input | Promise<Input>;
  /** What its answer is for; every other route tells about values and never tells one. */
  readonly may?: readonly CanaryKind[];
}

const NOTHING: RouteDrive = { input: () => ({}) };
const [SHOP, NEWS] = APPS;

/** How each route is brought to succeed. A route that is missing here fails the test. */
export const ROUTE_DRIVES: { readonly [Name in RouteName]: RouteDrive } = {
  livez: NOTHING,
  readyz: NOTHING,
  metrics: NOTHING,
  listApps: NOTHING,
  listCredentials: NOTHING,
  listCallers: NOTHING,
  listUsage: NOTHING,
  listAudit: { input: () => ({ query: { limit: '200' } }) },
  listAuditHeads: NOTHING,
  listCalls: { input: () => ({ query: { limit: '200' } }) },
  getCall: {
    async input({ http, gateway, keys, planted, simulator }) {
      const target = `/wxa/nothing?from_appid=${NEWS.appid}&secret=${planted.make('sent', 'secret in a query')}`;
      const answer = await http.ask(gateway, { target, headers: { 'x-bridge-key': keys.orders } });
      // What the platform keeps of a call may hold everything that was in it.
      const [token = ''] = simulator.state.tokens(NEWS.appid);
      const request = {
        request_url: `/wxa/nothing?access_token=${token}&a=1`,
        request_body: `{"secret":"${planted.make('sent', 'secret in a body')}"}`,
        response_body: `the token was ${token}`,
      };
      const body = JSON.stringify({ errcode: 0, errmsg: `ok ${token}`, request });
      simulator.faults.add({ kind: 'garbage', path: '/cgi-bin/openapi/rid/get', times: 1, body });
      return { params: { seqid: String(answer.headers['x-openapi-seqid']) }, query: { rid: 'true' } };
    },
  },
  reportCredential: {
    input: ({ simulator }) => ({
      body: { appid: NEWS.name, access_token: simulator.state.tokens(NEWS.appid)[0], errcode: 40001 },
    }),
  },
  rotateCredential: { input: () => ({ body: { appid: NEWS.name } }) },
  revokeTokens: { input: () => ({ body: { caller: 'limited' } }) },
  revokeKey: { input: () => ({ body: { caller: 'former' } }) },
  startLeakDrill: { input: () => ({ params: { app: NEWS.name }, body: {} }) },
  getLeakDrill: { input: () => ({ params: { app: NEWS.name }, query: { report: 'true' } }) },
  loginUser: {
    input: stage => ({ body: { appid: SHOP.name, code: codeOf(stage, SHOP.appid) } }),
    may: ['openid', 'unionid'],
  },
  checkSession: { input: (_, users) => ({ body: { appid: SHOP.name, openid: users.shop } }) },
  resetSession: { input: (_, users) => ({ body: { appid: SHOP.name, openid: users.shop } }) },
  decryptOpenData: {
    input({ simulator, planted }, { shop: openid }) {
      const data = { note: planted.make('open-data', 'open data'), phoneNumber: '13987604152' };
      const { encryptedData, iv } = simulator.users.openData(SHOP.appid, { openid, data });
      planted.add('sent', 'encrypted data', encryptedData);
      return { body: { appid: SHOP.name, openid, encryptedData, iv } };
    },
    may: ['open-data', 'phone-number', 'openid', 'unionid'],
  },
  verifyRawData: {
    input({ simulator, planted }, { shop: openid }) {
      const data = { nickName: planted.make('open-data', 'raw data') };
      const { rawData, signature } = simulator.users.openData(SHOP.appid, { openid, data });
      planted.add('sent', 'signature of raw data', signature);
      return { body: { appid: SHOP.name, openid, rawData, signature } };
    },
  },
  signPage: {
    input: ({ planted }) => ({
      body: { appid: NEWS.name, url: `https://shop.example/?code=${planted.make('sent', 'code in a page')}` },
    }),
  },
  signCardToAdd: {
    input: (_, users) => ({ body: { appid: NEWS.name, cardId: 'pCard01', openid: users.news } }),
    may: ['openid'],
  },
  signCardsToChoose: { input: () => ({ body: { appid: NEWS.name, cardId: 'pCard01' } }) },
  getPhoneNumber: {
    input: stage => ({ body: { appid: SHOP.name, code: codeOf(stage, SHOP.appid, 'phone') } }),
    may: ['phone-number'],
  },
};

/** Fields that name something: what stands in them is repeated to whoever sent it. */
const NAMES = new Set(['seqid', 'appid', 'app', 'caller', 'actor', 'action', 'kind']);

const routeNames = Object.keys(ROUTES) as RouteName[];

function drivesOf(name: RouteName): RouteDrive {
  const drive: RouteDrive | undefined = ROUTE_DRIVES[name];
  if (drive === undefined) throw new Error(`the route ${name} is neither driven nor excused`);
  return drive;
}

function send(
  { http, control }: Stage,
  name: RouteName,
  { params = {}, query = {}, body }: { [Part in keyof Input]: Input[Part] | string },
  headers: Readonly<Record<string, string>>,
): Promise<Answered> {
  const route: Route = ROUTES[name];
  const path = route.url.replaceAll(/:(\w+)/g, (_, part: string) => encodeURIComponent(Object(params)[part]));
  const search = new URLSearchParams(query as Record<string, string>).toString();
  return http.ask(control, {
    method: route.method,
    target: search === '' ? path : `${path}?${search}`,
    headers,
    ...(route.method === 'POST' && { body: body ?? {} }),
    may: drivesOf(name).may ?? [],
  });
}

/** Asks every route as one should; unless told that it cannot, every one must succeed. */
export async function driveRoutes(stage: Stage, users: Users, mustSucceed = true): Promise<void> {
  for (const name of routeNames) {
    const input = await drivesOf(name).input(stage, users);
    const { access }: Route = ROUTES[name];
    const { keys } = stage;
    const headers: Record<string, string> =
      access === 'admin' ? { authorization: `Bearer ${keys.admin}` } : { 'x-bridge-key': keys.orders };
    const { status, text } = await send(stage, name, input, headers);
    if (mustSucceed && status !== 200 && status !== 202)
      throw new Error(`the route ${name} does not succeed: ${status} ${text}`);
  }
}

/** Has every route fail in all the ways that requests can be wrong, with canaries in what is sent. */
export async function driveRefusals(stage: Stage): Promise<void> {
  const { keys, planted } = stage;
  const sent = planted.make('sent', 'value in a bad request of the control API');
  const id = planted.make('id', 'name of nothing, in the control API');
  const admin = { authorization: `Bearer ${keys.admin}` };
  await Promise.all(
    routeNames.map(async name => {
      const route: Route = ROUTES[name];
      const fields = (schema: unknown, value: unknown): Record<string, unknown> =>
        Object.fromEntries(
          Object.keys(Object(schema).shape ?? {}).map(field => [field, NAMES.has(field) ? id : value]),
        );
      const params = fields(route.params, sent) as Record<string, string>;
      const query = { ...fields(route.query, sent), access_token: sent } as Record<string, string>;
      const strangers: Record<string, string>[] = [
        {},
        ...[{ 'x-bridge-key': keys.nobody }, { 'x-bridge-key': keys.expired }],
        ...[{ authorization: `Bearer ${keys.nobody}` }, { authorization: `Bearer ${keys.expired}` }],
      ];
      for (const headers of [...strangers, { 'x-bridge-key': keys.limited }])
        await send(stage, name, { params, query, body: fields(route.body, sent) }, headers);
      await send(stage, name, { params, query }, admin);
      await send(stage, name, { params }, admin);
      if (route.method === 'GET') return;
      const whole = { ...fields(route.body, sent), appid: SHOP.name, errcode: 40001 };
      const bodies = [
        ...[`{"code":"${sent}`, JSON.stringify(sent), `code=${sent}&appid=${SHOP.name}`, sent],
        ...[fields(route.body, sent), whole, { ...whole, openid: 'oNobody' }],
        ...[fields(route.body, { [sent]: sent }), fields(route.body, [sent]), { ...whole, extra: sent }],
        { ...whole, openid: `${sent} ${sent}` },
      ];
      for (const body of bodies) await send(stage, name, { body } as Input, admin);
      await send(stage, name, { body: `access_token=${sent}` } as never, {
        ...admin,
        'content-type': 'application/x-www-form-urlencoded',
      });
    }),
  );
  await stage.http.ask(stage.control, {
    ...{ method: 'POST', target: '/v1/sessions/login', headers: admin },
    body: { appid: SHOP.name, code: sent.repeat(40_000) },
  });
  for (const target of [`/v1/nothing?access_token=${sent}`, `/?secret=${sent}`, '/v1/openapi.json'])
    await stage.http.ask(stage.control, { target, headers: admin });
}
