import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BridgeError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { appOf } from './app.fixture.ts';
import type { IssuePlan } from './platform.ts';
import { miniProgramPlan, officialAccountPlan } from './weixin-plans.ts';

const app = appOf({ platform: 'weixin-h5' });

function planned(plan: IssuePlan | undefined): IssuePlan {
  if (plan === undefined) throw new Error('no plan');
  return plan;
}

const stable = planned(officialAccountPlan('access-token', 'stable'));
const classic = planned(officialAccountPlan('access-token', 'classic'));
const ticket = planned(officialAccountPlan('ticket', 'stable'));
const cardTicket = planned(officialAccountPlan('card-ticket', 'classic'));
const plain = { force: false, needed: undefined };

test('the request for a stable token', () => {
  const json = { grant_type: 'client_credential', appid: 'wx01', secret: 'the-secret', force_refresh: false };
  expect(stable.request(app, plain)).toEqual({ method: 'POST', path: '/cgi-bin/stable_token', json });
  expect(stable.request(app, { ...plain, force: true }).json).toEqual({ ...json, force_refresh: true });
});

test('the request for a classic token never forces anything', () => {
  const request = {
    method: 'GET',
    path: '/cgi-bin/token',
    query: { grant_type: 'client_credential', appid: 'wx01', secret: 'the-secret' },
  };
  expect(classic.request(app, plain)).toEqual(request);
  expect(classic.request(app, { ...plain, force: true })).toEqual(request);
});

test.each([
  ['jsapi', ticket],
  ['wx_card', cardTicket],
])('the request for a %s ticket carries the access token and no secret', (type, plan) => {
  expect(plan.needs).toBe('access-token');
  const request = plan.request(app, { force: false, needed: new Secret('T') });
  expect(request).toEqual({
    method: 'GET',
    path: '/cgi-bin/ticket/getticket',
    query: { access_token: 'T', type },
  });
});

test('what the platform promises of each kind', () => {
  expect(stable).toMatchObject({ sameUntilRenewal: true, renewAheadMs: 300_000, overlapMs: 300_000 });
  expect(stable.issueBudget).toBeUndefined();
  expect(stable.forceBudget).toMatchObject({ limit: 20, reserve: 10, window: 'day', spacingMs: 30_000 });
  expect(classic).toMatchObject({ sameUntilRenewal: false, renewAheadMs: 300_000, overlapMs: 300_000 });
  expect(classic.issueBudget).toMatchObject({ limit: 2000, window: 'day' });
  expect(classic.forceBudget).toBeUndefined();
  expect(ticket.issueBudget?.name).not.toBe(cardTicket.issueBudget?.name);
  for (const plan of [classic, ticket, cardTicket]) expect(plan.issueBudget?.reserve).toBeGreaterThan(0);
});

test('mini programs have a token and no tickets', () => {
  expect(miniProgramPlan('access-token', 'stable')).toBe(stable);
  expect(miniProgramPlan('access-token', 'classic')).toBe(classic);
  expect(miniProgramPlan('ticket', 'stable')).toBeUndefined();
  expect(miniProgramPlan('card-ticket', 'stable')).toBeUndefined();
});

test('what belongs to a user is not issued for an app', () => {
  for (const kind of ['user-access-token', 'session-key', 'encrypt-key'] as const) {
    expect(miniProgramPlan(kind, 'stable')).toBeUndefined();
    expect(officialAccountPlan(kind, 'classic')).toBeUndefined();
  }
});

test.each([
  ['stable', stable],
  ['classic', classic],
])('a %s token cannot be asked for without a secret', (_mode, plan) => {
  expect(() => plan.request({ ...app, secret: undefined, managed: false }, plain)).toThrow('has no secret');
});

const FIELDS: readonly [string, IssuePlan][] = [
  ['access_token', stable],
  ['access_token', classic],
  ['ticket', ticket],
  ['ticket', cardTicket],
];

test.each(FIELDS)('reads %s and its life', (field, plan) => {
  const issued = plan.read({ [field]: 'V', expires_in: 7000 });
  expect(issued.value.reveal()).toBe('V');
  expect(issued.lifeMs).toBe(7_000_000);
});

test.each([
  [undefined, 7_200_000],
  [null, 7_200_000],
  ['7000', 7_000_000],
  [0, 7_200_000],
  [-5, 7_200_000],
  ['soon', 7_200_000],
  [{}, 7_200_000],
  [Number.POSITIVE_INFINITY, 7_200_000],
])('expires_in %j means a life of %i ms', (expires_in, lifeMs) => {
  expect(stable.read({ access_token: 'V', expires_in }).lifeMs).toBe(lifeMs);
});

test.each(FIELDS)('refuses an answer without a usable %s, and says where it may come from', (field, plan) => {
  for (const value of [undefined, null, '', 5, {}, []]) {
    const read = (): unknown => plan.read({ [field]: value, expires_in: 7200 });
    expect(read).toThrow(BridgeError);
    expect(read).toThrow(`the platform's answer has no ${field}`);
  }
});

test.each(FIELDS)('stores %s in the shape of uni-open-bridge and reads it back', (field, plan) => {
  expect(plan.toStored('V')).toEqual({ [field]: 'V' });
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), value => {
      expect(plan.fromStored(JSON.parse(JSON.stringify(plan.toStored(value))))).toBe(value);
    }),
  );
  expect(plan.fromStored({ [field]: 'V', access_token_expired: 5, errcode: 0 })).toBe('V');
  for (const value of [undefined, null, '', 5, {}])
    expect(plan.fromStored({ [field]: value })).toBeUndefined();
  expect(plan.fromStored({ session_key: 'V' })).toBeUndefined();
});
