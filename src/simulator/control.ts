import type { Account } from './accounts.ts';
import { type Answer, controlJson } from './answers.ts';
import { blobOf } from './blob.ts';
import { type Fields, fieldsOf, numberOf, OptionError, oneOf, optional, textOf } from './checks.ts';
import { echoOf } from './dispatch.ts';
import { MAX_BLOB_BYTES, readFault } from './faults.ts';
import type { Incoming } from './http.ts';
import { readAccount } from './options.ts';
import type { Platform } from './platform.ts';
import { listUsers, type UserRoute, userRoutes } from './users/control.ts';
import { viewOfAccount, viewOfCounters, viewOfPlatform } from './views.ts';

/** Where the control paths begin. No path of the platform does. */
export const CONTROL_PREFIX = '/__simulator';

type Route = (incoming: Incoming, platform: Platform) => Answer;

function bodyOf(incoming: Incoming): unknown {
  try {
    return JSON.parse(incoming.body.toString('utf8'));
  } catch {
    throw new OptionError('the body must be JSON');
  }
}

function fieldsOfBody(incoming: Incoming, known: readonly string[]): Fields {
  return fieldsOf(bodyOf(incoming), 'the body', known);
}

const putAccount: Route = (incoming, platform) => {
  const body = bodyOf(incoming);
  const claimed = typeof body === 'object' && body !== null ? (body as Fields)['appid'] : undefined;
  const existing = typeof claimed === 'string' ? platform.accounts.get(claimed) : undefined;
  const account = platform.accounts.put(readAccount(body, 'account', existing?.settings));
  return controlJson(viewOfAccount(account, platform.clock.now()), existing === undefined ? 201 : 200);
};

function accountOf(value: unknown, platform: Platform): Account {
  const appid = textOf(value, 'appid');
  const account = platform.accounts.get(appid);
  if (account === undefined) throw new OptionError(`appid ${appid} is no account of the simulator`);
  return account;
}

const revoke: Route = (incoming, platform) => {
  const fields = fieldsOfBody(incoming, ['appid', 'slot']);
  const account = accountOf(fields['appid'], platform);
  const slot =
    optional(fields['slot'], v => oneOf(v, 'slot', ['classic', 'stable', 'all'] as const)) ?? 'all';
  return controlJson({ revoked: platform.accounts.revoke(account, slot, platform.clock.now()) });
};

const addFaults: Route = (incoming, platform) => {
  const body = bodyOf(incoming);
  const rules = Array.isArray(body)
    ? body.map((rule, i) => readFault(rule, `faults[${i}]`))
    : [readFault(body)];
  return controlJson({ ids: rules.map(rule => platform.faults.add(rule)) }, 201);
};

const moveClock: Route = (incoming, platform) => {
  const fields = fieldsOfBody(incoming, ['advanceMs', 'set']);
  const advanceMs = optional(fields['advanceMs'], v => numberOf(v, 'advanceMs', { min: 0 }));
  const set = optional(fields['set'], v => numberOf(v, 'set', { min: 0, max: 8.64e15 }));
  if ((advanceMs === undefined) === (set === undefined)) {
    throw new OptionError('the body must have either advanceMs or set, both in milliseconds');
  }
  if (set !== undefined) platform.clock.set(set);
  else platform.clock.advance(advanceMs ?? 0);
  return controlJson({ now: platform.clock.now() });
};

const blob: Route = ({ query }) => {
  const length = numberOf(Number(query.get('bytes') ?? 'none'), 'bytes', {
    min: 0,
    max: MAX_BLOB_BYTES,
    integer: true,
  });
  return blobOf(length, query.has('chunked'));
};

function ofUsers(route: UserRoute): Route {
  return (incoming, platform) => {
    const body = bodyOf(incoming);
    return route(accountOf(Object(body)['appid'], platform), body, platform);
  };
}

const USER_ROUTES = Object.fromEntries(
  Object.entries(userRoutes).map(([path, route]) => [`POST ${path}`, ofUsers(route)] as const),
);

const ROUTES: Readonly<Record<string, Route>> = {
  'GET /state': (_, platform) => controlJson(viewOfPlatform(platform)),
  'GET /counters': (_, platform) => controlJson(viewOfCounters(platform)),
  'POST /accounts': putAccount,
  'POST /revoke': revoke,
  'POST /faults': addFaults,
  'DELETE /faults': ({ query }, platform) =>
    controlJson({ cleared: platform.faults.clear(query.get('id') ?? undefined) }),
  'GET /users': ({ query }, platform) =>
    listUsers(accountOf(query.get('appid'), platform), query.get('openid'), platform.clock.now()),
  ...USER_ROUTES,
  'POST /clock': moveClock,
  'POST /reset': (_, platform) => {
    platform.reset();
    return controlJson({ now: platform.clock.now() });
  },
};

/** Paths of the control side that take any verb. */
const ANY_VERB: Readonly<Record<string, Route>> = { '/echo': incoming => echoOf(incoming), '/blob': blob };

/** Answers a request under /__simulator/. Bad input gets 400, an unknown path 404, a wrong verb 405. */
export function control(incoming: Incoming, platform: Platform): Answer {
  const path = incoming.path.slice(CONTROL_PREFIX.length);
  const verb = incoming.method === 'HEAD' ? 'GET' : incoming.method;
  const route = ANY_VERB[path] ?? ROUTES[`${verb} ${path}`];
  if (route === undefined) {
    const verbs = Object.keys(ROUTES)
      .filter(key => key.endsWith(` ${path}`))
      .map(key => key.split(' ')[0]);
    if (path === '' || verbs.length === 0)
      return controlJson({ error: `no control path ${incoming.path}` }, 404);
    return controlJson(
      { error: `${incoming.path} takes ${verbs.join(' or ')}, not ${incoming.method}` },
      405,
    );
  }
  try {
    return route(incoming, platform);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return controlJson({ error: error.message }, 400);
  }
}
