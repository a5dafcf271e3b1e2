import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appOf, createWorld } from '../../test/support/world.ts';
import type { CredentialRef } from './credentials.ts';

const SECOND = 1000;

/** One thing that happens to two processes and the platform they share. */
type Step =
  | { readonly type: 'pass'; readonly seconds: number }
  | { readonly type: 'get' | 'renew' | 'rotate' | 'report' | 'hearsay'; readonly by: 0 | 1 }
  | { readonly type: 'both' }
  | { readonly type: 'revoke' | 'busy' | 'frozen' | 'well' };

const by = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('pass'), seconds: fc.constantFrom(1, 31, 600, 7000) }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constantFrom('get', 'get', 'get', 'renew', 'rotate', 'report', 'hearsay'),
      by,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('both') }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom('revoke', 'busy', 'frozen', 'well', 'well') }) },
) as fc.Arbitrary<Step>;

/** More calls than this for one demand would be a storm: three tries, and the forced one after an ordinary one. */
const MOST_CALLS = 4;

test.each(['stable', 'classic'] as const)(
  'whatever happens, %s tokens stay in step and cost few calls',
  async tokenMode => {
    const world = await createWorld();
    const { clock, platform } = world;
    const serial = { next: 0 };

    async function play(steps: readonly Step[]): Promise<void> {
      serial.next += 1;
      const appid = `wx-model-${tokenMode}-${serial.next}`;
      platform.addAccount({ appid, secret: `secret-of-${appid}`, type: 'mp' });
      const ref: CredentialRef = {
        app: appOf(appid, { platform: 'weixin-mp', tokenMode }),
        kind: 'access-token',
      };
      const [zero, one] = await world.nodes(2);
      if (zero === undefined || one === undefined) throw new Error('no nodes');
      const nodes = [zero, one] as const;
      const epochs = [0, 0];
      const calls = (): number => platform.counters(appid)[tokenMode].calls;

      const get = async (turn: 0 | 1): Promise<string | undefined> => {
        try {
          const held = await clock.settled(nodes[turn].authority.get(ref));
          expect(held.epoch).toBeGreaterThanOrEqual(epochs[turn] ?? 0);
          expect(held.expiresAt).toBeGreaterThan(clock.now());
          epochs[turn] = held.epoch;
          return held.value.reveal();
        } catch (error) {
          expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
          return undefined;
        }
      };

      for (const each of steps) {
        const before = calls();
        const { authority } = 'by' in each ? nodes[each.by] : zero;
        switch (each.type) {
          case 'pass':
            clock.jump(each.seconds * SECOND);
            break;
          case 'get':
            await get(each.by);
            break;
          case 'renew':
            await clock.settled(authority.renew(ref));
            break;
          case 'rotate':
            await clock.settled(authority.rotate(ref).catch(() => {}));
            break;
          case 'report':
          case 'hearsay': {
            const value = await get(each.by);
            if (value === undefined || platform.state.verdict(value) === 0) break;
            const { fingerprint = '' } = await authority.status(ref);
            const observedBy = each.type === 'report' ? 'gateway' : 'caller';
            const report = { fingerprint, errcode: 40001, observedBy } as const;
            await clock.settled(authority.report(ref, report).catch(() => {}));
            break;
          }
          case 'both':
            await Promise.all([get(0), clock.settled(one.authority.renew(ref))]);
            break;
          case 'revoke':
            platform.revoke(appid);
            break;
          case 'busy':
            platform.faults.add({ kind: 'errcode', errcode: -1, appid });
            break;
          case 'frozen':
            platform.setAccount(appid, { frozenSecret: true });
            break;
          case 'well':
            platform.faults.clear();
            platform.setAccount(appid, { frozenSecret: false });
        }
        await clock.settled(Promise.all(nodes.map(({ authority }) => authority.idle())));
        expect(calls() - before).toBeLessThanOrEqual(2 * MOST_CALLS);
      }

      // Once all is well again, a refused token is repaired, and both processes hold the same good one.
      platform.faults.clear();
      platform.setAccount(appid, { frozenSecret: false });
      clock.jump(301 * SECOND);
      await get(0);
      await clock.settled(Promise.all(nodes.map(({ authority }) => authority.idle())));
      const { fingerprint = '' } = await zero.authority.status(ref);
      const value = (await get(0)) ?? '';
      if (platform.state.verdict(value) !== 0) {
        const report = { fingerprint, errcode: 40001, observedBy: 'gateway' } as const;
        await clock.settled(zero.authority.report(ref, report));
      }
      clock.jump(SECOND);
      expect(await get(0)).toBe(platform.state.token(appid, tokenMode));
      expect(await get(1)).toBe(platform.state.token(appid, tokenMode));
    }

    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), play), { numRuns: 60 });
  },
  60_000,
);
