import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../support/manual-clock.ts';
import {
  configuredApps,
  DCLOUD,
  httpWay,
  libraryWay,
  NEWS,
  SHOP,
  type Stage,
  secretOf,
  startStage,
  type Way,
} from './uni-open-bridge.fixture.ts';

const MP = { dcloudAppid: DCLOUD, platform: 'weixin-mp' };
const H5 = { dcloudAppid: DCLOUD, platform: 'weixin-h5' };
const GETS = 1000;

/** Two bridges in processes' stead, one behind HTTP, and its library: all on one database. */
async function everyWay(stage: Stage): Promise<readonly Way[]> {
  return [
    libraryWay('embedded', await stage.embedded()),
    libraryWay('embedded', await stage.embedded()),
    libraryWay('remote', stage.remote()),
    httpWay(stage.control),
  ];
}

describe(`${GETS} gets at once of what is missing`, () => {
  async function crowd(
    ways: readonly Way[],
    call: (way: Way) => Promise<unknown>,
  ): Promise<ReadonlySet<string>> {
    const calls = Array.from({ length: GETS }, (_, turn) => {
      const way = ways[turn % ways.length];
      if (way === undefined) throw new Error('no ways');
      return call(way);
    });
    return new Set((await Promise.all(calls)).map(value => JSON.stringify(value)));
  }

  it('cost one call to the platform', async () => {
    const stage = await startStage();
    const ways = await everyWay(stage);
    const tokens = await crowd(ways, way => way.call('getAccessToken', MP));
    expect(tokens.size).toBe(1);
    expect(stage.simulator.counters(SHOP.appid).stable).toEqual({ calls: 1, issued: 1, forced: 0 });
    const tickets = await crowd(ways, way => way.call('getTicket', H5));
    expect(tickets.size).toBe(1);
    expect(stage.simulator.counters(NEWS.appid)).toMatchObject({
      stable: { calls: 1 },
      ticket: { calls: 1, issued: 1 },
    });
  });

  it('of an encrypt key too, whatever its versions', async () => {
    const stage = await startStage();
    const ways = await everyWay(stage);
    const { openid, code } = stage.simulator.users.code(SHOP.appid, { user: 'ann' });
    const query = `appid=${SHOP.appid}&secret=${secretOf(SHOP.appid)}&js_code=${code}&grant_type=authorization_code`;
    const login = (await (await fetch(`${stage.simulator.origin}/sns/jscode2session?${query}`)).json()) as {
      session_key: string;
    };
    const key = { ...MP, openid };
    await ways[0]?.call('setSessionKey', key, { value: { session_key: login.session_key } });
    const versions = [1, 2].map(
      () => stage.simulator.users.latestUserKey(SHOP.appid, { openid, renew: true }).version,
    );
    let turn = 0;
    const keys = await crowd(ways, way => {
      turn += 1;
      return way.call('getEncryptKey', { ...key, version: versions[turn % 2] });
    });
    expect(keys.size).toBe(2);
    expect(stage.simulator.counters(SHOP.appid).calls['/wxa/business/getuserencryptkey']).toBe(1);
  });

  it('of one failure, all are told the same', async () => {
    const stage = await startStage({ accounts: { shop: { ipWhitelist: [] } } });
    const ways = await everyWay(stage);
    const told = await crowd(ways, way => way.call('getAccessToken', MP).catch(error => error.errCode));
    expect([...told]).toEqual(['40164']);
    expect(stage.simulator.counters(SHOP.appid).stable.calls).toBe(1);
  });
});

describe('at any moment', () => {
  /** Steps of time from a moment to days, many of them near the ends of a token that lives two hours. */
  const step = fc.oneof(
    fc.integer({ min: 0, max: 3000 }),
    fc.integer({ min: 3000, max: 600_000 }),
    fc.constantFrom(
      6_899_000,
      6_900_000,
      6_902_000,
      7_197_999,
      7_198_000,
      7_199_000,
      7_199_999,
      7_200_000,
      7_200_001,
    ),
    fc.integer({ min: 7_000_000, max: 90_000_000 }),
  );

  it.each(['stable', 'classic'] as const)(
    'a get gives a token that the platform takes (%s)',
    async tokenEndpoint => {
      const clock = manualClock();
      const stage = await startStage({
        clock,
        config: { apps: configuredApps({ shop: { tokenEndpoint } }) },
      });
      const ways = await everyWay(stage);
      const uses = async (way: Way): Promise<unknown> => {
        const { value, expiresIn } = (await clock.during(() =>
          way.call('getAccessToken', MP, { detail: true }),
        )) as {
          readonly value: { readonly access_token: string };
          readonly expiresIn: number;
        };
        expect(expiresIn).toBeGreaterThan(0);
        const url = `${stage.simulator.origin}/wxa/getwxadevinfo?access_token=${value.access_token}`;
        return clock.during(async () => ((await (await fetch(url)).json()) as { errcode: unknown }).errcode);
      };
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async steps => {
          for (const ms of steps) {
            clock.jump(ms);
            // In turn and together: one may have to fetch while another still has the value in memory.
            expect(await uses(ways[ms % ways.length] as Way)).toBe(0);
            expect(await Promise.all(ways.map(uses))).toEqual(ways.map(() => 0));
          }
        }),
        { numRuns: 25 },
      );
      expect(stage.simulator.counters(SHOP.appid).tokenErrors).toBe(0);
    },
    120_000,
  );

  it('a get gives no value after its end, to the millisecond', async () => {
    const clock = manualClock();
    const stage = await startStage({
      clock,
      config: { apps: configuredApps({ shop: { managed: false, secret: undefined } }) },
    });
    const ways = await everyWay(stage);
    const value = { access_token: 'pushed' };
    for (const writer of ways) {
      await writer.call('setAccessToken', MP, { value, expiresIn: 5 });
      clock.jump(4999);
      for (const way of ways) expect(await way.call('getAccessToken', MP)).toEqual(value);
      clock.jump(1);
      for (const way of ways) expect(await way.call('getAccessToken', MP)).toBeNull();
    }
  });
});
