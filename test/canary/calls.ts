import { once } from 'node:events';
import { connect } from 'node:net';
import type { CanaryKind } from './planted.ts';
import { reload } from './reloads.ts';
import { APPS, type Stage } from './stage.ts';
import type { Users } from './users.ts';

const [SHOP, NEWS] = APPS;
const CHECK = '/wxa/msg_sec_check';
const INFO = '/wxa/getwxadevinfo';
/** Waited out in full, twice at once. */
const SHORT_MS = 1000;
const TOKEN: readonly CanaryKind[] = ['access-token'];

/** A message as a service has it checked: text and user are nobody's business but the platform's. */
export function message({ planted }: Stage, openid: string, padding = ''): object {
  const content = planted.make('sent', 'content of a message');
  return { openid, version: 2, scene: 2, content: content + padding };
}

/** Calls through the gateway that go well, by every kind of caller and protocol. Rejects when one does not. */
export async function driveCalls(stage: Stage, users: Users): Promise<void> {
  const { http, control, gateway, gatewayTls, ca, keys, planted, simulator, secrets } = stage;
  const orders = { 'x-bridge-key': keys.orders };
  const body = message(stage, users.shop);
  const query = `from_appid=${NEWS.appid}&openid=${users.news}&key=${planted.make('sent', 'key in a query')}`;
  const well = async (answer: Promise<{ status: number; text: string }>): Promise<void> => {
    const { status, text } = await answer;
    if (status !== 200) throw new Error(`a call does not go well: ${status} ${text}`);
  };
  await well(http.ask(gateway, { method: 'POST', target: CHECK, headers: orders, body }));
  await well(http.ask(gateway, { target: `/cgi-bin/get_api_domain_ip?${query}`, headers: orders }));
  await well(
    http.ask(gateway, { target: '/wxa/getwxacode', method: 'POST', headers: orders, body: { path: 'a' } }),
  );
  for (const version of [1, 2] as const) {
    await well(
      http.askTls(gatewayTls, version, ca, { method: 'POST', target: CHECK, headers: orders, body }),
    );
    await http.askTls(gatewayTls, version, ca, { target: `${INFO}?openid=${users.shop}` });
  }
  // A body that is too large for memory waits for a replay in a file.
  const large = message(stage, users.shop, 'x'.repeat(5000));
  simulator.revoke(SHOP.appid);
  await well(http.ask(gateway, { method: 'POST', target: CHECK, headers: orders, body: large }));

  // An unchanged SDK: with a caller's key or the app's secret in the place of the secret.
  const asSdk = (secret: string) => ({ grant_type: 'client_credential', appid: SHOP.appid, secret });
  const bySecret = asSdk(secrets['shop'] ?? '');
  await well(http.ask(gateway, { target: `/cgi-bin/token?${new URLSearchParams(bySecret)}`, may: TOKEN }));
  for (const force_refresh of [false, true]) {
    const request = { ...asSdk(keys.orders), force_refresh };
    const stable = { method: 'POST', target: '/cgi-bin/stable_token', body: request, may: TOKEN };
    await well(http.ask(gateway, stable));
  }
  const virtual = { method: 'POST', target: '/cgi-bin/stable_token', body: asSdk(keys.legacy) };
  const { json, text } = await http.ask(gateway, { ...virtual, may: ['virtual-token'] });
  const token = String(json['access_token']);
  if (!token.startsWith('OBV1')) throw new Error(`no virtual token: ${text}`);
  // What it says is no secret; that nobody else can make it is.
  planted.add('virtual-token', 'virtual token', token.slice(-22));
  const legacy = { 'x-bridge-key': keys.legacy };
  await well(http.ask(gateway, { target: `${INFO}?access_token=${token}`, headers: legacy }));
  await http.ask(gateway, { target: `${INFO}?access_token=${token.slice(0, -2)}xx`, headers: legacy });

  // Tokens of the caller's own: one we gave, and one we did not.
  const [ours = ''] = simulator.state.tokens(SHOP.appid, 'stable');
  const classic = await fetch(`${simulator.origin}/cgi-bin/token?${new URLSearchParams(bySecret)}`);
  const foreign = String(Object(await classic.json())['access_token']);
  for (const own of [ours, foreign, planted.make('sent', 'token of the caller that is none')])
    await http.ask(gateway, {
      method: 'POST',
      target: `${CHECK}?access_token=${own}`,
      headers: orders,
      body,
    });
  simulator.revoke(SHOP.appid);
  await http.ask(gateway, { target: `${INFO}?access_token=${ours}`, headers: orders });
  // Repairs are spaced, so that it may be an operator's turn.
  const rotate = { method: 'POST', target: '/v1/credentials/rotate', headers: orders };
  await well(http.ask(control, { ...rotate, body: { appid: SHOP.name } }));

  for (const type of ['jsapi', 'wx_card', planted.make('sent', 'type of a ticket')]) {
    const target = `/cgi-bin/ticket/getticket?type=${type}&from_appid=${NEWS.appid}`;
    await http.ask(gateway, { target, headers: orders, may: ['ticket'] });
  }
}

/** What a caller does wrong. */
export async function driveBadCalls(stage: Stage, users: Users): Promise<void> {
  const { http, gateway, gatewayTls, ca, keys, planted, secrets } = stage;
  const orders = { 'x-bridge-key': keys.orders };
  const sent = planted.make('sent', 'value in a bad call');
  const body = message(stage, users.shop);
  const post = (target: string, headers: Record<string, string>, what: unknown = body) =>
    http.ask(gateway, { method: 'POST', target, headers, body: what });

  const strangers = [
    ...[{}, { 'x-bridge-key': keys.nobody }, { 'x-bridge-key': keys.expired }],
    { authorization: `Bearer ${keys.orders}` },
  ];
  for (const headers of strangers)
    await post(`${CHECK}?key=${sent}&openid=${users.shop}`, headers as Record<string, string>);
  await post(`/sns/jscode2session?js_code=${sent}&secret=${sent}`, orders);
  await post(`/tcb/unlisted?secret=${sent}`, orders);
  await post(`/_/pay?secret=${sent}`, orders);
  await post(`/cgi-bin/component/api_query_auth?secret=${sent}`, orders);
  await post(`${CHECK}?from_appid=${planted.make('id', 'name of nothing, in a call')}`, orders);
  await post(`${CHECK}?from_appid=${SHOP.appid}`, { 'x-bridge-key': keys.limited });
  for (let turn = 0; turn < 3; turn += 1) await post(CHECK, { 'x-bridge-key': keys.limited });
  await post(CHECK, orders, { ...body, content: sent.repeat(10_000) });
  await post('/cgi-bin/stable_token', {}, `{"appid":"${SHOP.appid}","secret":"${sent}`);
  await post('/cgi-bin/stable_token', {}, { appid: SHOP.appid, secret: sent });
  await post('/cgi-bin/stable_token', {}, { appid: SHOP.appid, secret: { sent }, grant_type: [sent] });
  await post('/cgi-bin/stable_token', {}, { appid: SHOP.appid, secret: secrets['shop'], grant_type: sent });
  await post('/cgi-bin/stable_token', {}, { secret: sent.repeat(1000) });
  for (const secret of [sent, keys.limited, keys.expired, keys.nobody])
    for (const appid of [SHOP.appid, 'wx00000000000000ff'])
      await http.ask(gateway, {
        target: `/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`,
      });

  const head = `x-bridge-key: ${keys.orders}\r\n`;
  const raw = (line: string, more = ''): Promise<string> =>
    http.raw(gateway, `${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${head}${more}\r\n\r\n`);
  await raw(`GET ${CHECK}/../%00?secret=${sent}`);
  await raw(`GET http://other.example/?secret=${sent}`);
  await raw(`CONNECT ${sent}:443`);
  await raw(`GET ${INFO}?${sent.repeat(2000)}`);
  await raw(`GET ${INFO}`, `x-bridge-key: ${keys.orders}`);
  await raw(`GET ${INFO}`, `${sent} : ${sent}`);
  await raw(`POST ${CHECK}`, `content-length: ${sent}`);
  await raw(`POST ${CHECK}`, `transfer-encoding: ${sent}, chunked`);
  await raw(`POST ${CHECK}`, `transfer-encoding: chunked\r\n\r\n${sent}\r\n`);
  await http.raw(gateway, `${sent}\r\n\r\n`);
  await http.askTls(gatewayTls, 2, ca, {
    ...{ method: 'POST', target: `${CHECK}?secret=${sent}`, headers: { 'x-bridge-key': keys.nobody }, body },
  });
}

/** What the platform does wrong while a call is under way. */
export async function driveFaultyCalls(stage: Stage, users: Users): Promise<void> {
  const { http, gateway, gatewayTls, ca, keys, simulator, planted, config } = stage;
  const headers = { 'x-bridge-key': keys.orders };
  const body = message(stage, users.shop);
  await reload(stage, { gateway: { ...Object(config['gateway']), timeoutMs: SHORT_MS } });
  const asked = { method: 'POST', target: `${CHECK}?openid=${users.shop}`, headers, body };
  const errcodes = [40001, -1, 45009, 40164, 40125, 42001, 48001];
  const rid = '11223344-55667788-99aabbcc';
  for (const effect of [
    ...errcodes.map(errcode => ({ kind: 'errcode', errcode, errmsg: `no rid: ${rid}` }) as const),
    ...(['before', 'headers', 'body'] as const).map(at => ({ kind: 'cut', at }) as const),
    { kind: 'garbage' } as const,
    { kind: 'garbage', truncated: true } as const,
    { kind: 'blob', bytes: 400_000 } as const,
    { kind: 'status', status: 500, body: 'down' } as const,
    { kind: 'revoke' } as const,
  ]) {
    // The second one strikes the replay.
    const id = simulator.faults.add({ ...effect, path: CHECK });
    // A broken answer of the platform is handed on broken, which is no answer to whoever asks.
    const broken = await http.ask(gateway, asked).catch(() => undefined);
    if (broken === undefined || effect.kind === 'errcode')
      await http.askTls(gatewayTls, 2, ca, asked).catch(() => undefined);
    simulator.faults.clear(id);
  }
  const silent = simulator.faults.add({ kind: 'silent', path: CHECK });
  const gone = abandon(
    gateway,
    `POST ${CHECK}?secret=${planted.make('sent', 'value of one who went away')}`,
    keys.orders,
  );
  const stalled = http.raw(
    gateway,
    `POST ${CHECK} HTTP/1.1\r\nhost: x\r\nx-bridge-key: ${keys.orders}\r\ncontent-length: 9000\r\nconnection: close\r\n\r\n${planted.make('sent', 'part of a body')}`,
  );
  await Promise.all([http.ask(gateway, asked), gone, stalled]);
  simulator.faults.clear(silent);
  await reload(stage, {});
}

/** Sends the head of a call and half of its body, and goes away. */
async function abandon(origin: string, line: string, key: string): Promise<void> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const head = `${line} HTTP/1.1\r\nhost: x\r\nx-bridge-key: ${key}\r\ncontent-length: 100\r\n\r\n{"a":`;
  socket.end(head);
  socket.resume();
  await once(socket, 'close');
}
