import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appOf } from '../../test/support/world.ts';
import type { App, CredentialKind, PlatformId } from '../platforms/platform.ts';
import { budgetSubject, credentialName, storedKeys } from './keys.ts';

const mp = appOf('wx123', { platform: 'weixin-mp', dcloudAppid: '__UNI__ABC1234' });
const oa = appOf('wx456', { platform: 'weixin-h5', dcloudAppid: '__UNI__ABC1234' });

test.each<[App, CredentialKind, string, string]>([
  [mp, 'access-token', 'uni-id:weixin-mp:wx123:access-token', 'uni-id:__UNI__ABC1234:weixin-mp:access-token'],
  [oa, 'ticket', 'uni-id:weixin-h5:wx456:ticket', 'uni-id:__UNI__ABC1234:weixin-h5:ticket'],
  [oa, 'card-ticket', 'uni-id:weixin-h5:wx456:card-ticket', 'uni-id:__UNI__ABC1234:weixin-h5:card-ticket'],
])('both forms of a key', (app, kind, byAppid, byDcloudAppid) => {
  expect(storedKeys({ app, kind }, 'appid')).toEqual({ id: byAppid, alternate: byDcloudAppid });
  expect(storedKeys({ app, kind }, 'dcloudAppid')).toEqual({ id: byDcloudAppid, alternate: byAppid });
});

test('an app without a dcloudAppid is stored under its appid in either format', () => {
  const ref = { app: { ...mp, dcloudAppid: undefined }, kind: 'access-token' } as const;
  const id = 'uni-id:weixin-mp:wx123:access-token';
  expect(storedKeys(ref, 'appid')).toEqual({ id, alternate: undefined });
  expect(storedKeys(ref, 'dcloudAppid')).toEqual({ id, alternate: undefined });
});

test('names of leases and budgets do not depend on the key format', () => {
  const ref = { app: mp, kind: 'access-token' } as const;
  expect(credentialName(ref)).toBe('weixin-mp:wx123:access-token');
  expect(credentialName({ ...ref, app: { ...mp, dcloudAppid: undefined, name: 'other' } })).toBe(
    'weixin-mp:wx123:access-token',
  );
  const rule = { name: 'token-force', limit: 1, reserve: 0, window: 'day' } as const;
  expect(budgetSubject(mp, rule)).toBe('weixin-mp:wx123:token-force');
});

const platforms = fc.constantFrom<PlatformId>('weixin-mp', 'weixin-h5');
const kinds = fc.constantFrom<CredentialKind>('access-token', 'ticket', 'card-ticket');
/** Few letters, so that equal and nearly equal ones are met often. */
const appids = fc.string({ unit: fc.constantFrom('w', 'x', '1', '-'), minLength: 1, maxLength: 4 });
const refs = fc.tuple(platforms, appids, appids, kinds).map(([platform, appid, uni, kind]) => ({
  app: appOf(appid, { platform, dcloudAppid: `__UNI__${uni}` }),
  kind,
}));

test('different credentials never share a name or a key', () => {
  fc.assert(
    fc.property(refs, refs, (a, b) => {
      const sameKind = a.app.platform === b.app.platform && a.kind === b.kind;
      const sameApp = a.app.appid === b.app.appid;
      const sameUni = a.app.dcloudAppid === b.app.dcloudAppid;
      expect(credentialName(a) === credentialName(b)).toBe(sameKind && sameApp);
      expect(storedKeys(a, 'appid').id === storedKeys(b, 'appid').id).toBe(sameKind && sameApp);
      expect(storedKeys(a, 'dcloudAppid').id === storedKeys(b, 'dcloudAppid').id).toBe(sameKind && sameUni);
      expect(storedKeys(a, 'appid').id).not.toBe(storedKeys(b, 'dcloudAppid').id);
    }),
    { numRuns: 2000 },
  );
});

test('the openid segment is left out, with no empty one in its place', () => {
  fc.assert(
    fc.property(refs, fc.constantFrom('appid', 'dcloudAppid' as const), (ref, format) => {
      const segments = storedKeys(ref, format === 'appid' ? 'appid' : 'dcloudAppid').id.split(':');
      expect(segments).toHaveLength(4);
      expect(segments.every(segment => segment !== '')).toBe(true);
    }),
  );
});
