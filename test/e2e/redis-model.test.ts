import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Secret } from '../../src/base/secret.ts';
import type { CredentialRef } from '../../src/credentials/credentials.ts';
import { accelerate } from '../../src/stores/redis/open-accelerated.ts';
import { openRedisLink } from '../../src/stores/redis/open-link.ts';
import type { RedisFormat } from '../../src/stores/redis/settings.ts';
import { createSealer, newSealKey } from '../../src/stores/sealing.ts';
import type { Store } from '../../src/stores/store.ts';
import { keptLog } from '../support/canary.ts';
import { describeOnRedis, eventually, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { appOf, createWorld, MP, type Node } from '../support/world.ts';

const APP = appOf(MP);
const TOKEN: CredentialRef = { app: APP, kind: 'access-token' };
const SESSION: CredentialRef = { app: APP, kind: 'session-key', openid: 'oUser' };
const SESSION_ID = `uni-id:weixin-mp:${MP}:oUser:session-key`;
const TOKEN_ID = `uni-id:weixin-mp:${MP}:access-token`;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('token', 'read'), node: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('set', 'set', 'renew'), node: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), node: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(10, 999, 1000, 1000, 1000, 31_000, 600_000, 7_000_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(['freeze', 'thaw', 'kill', 'start', 'flush', 'rubbish', 'fill', 'empty'] as const),
        ...(['used', 'used', 'used'] as const),
      ),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const stepsOn = (node: number, ...what: readonly ('set' | 'read' | 'remove')[]): Step[] =>
  what.map(each => ({ do: each, node }));
const LATER: Step = { do: 'pass', ms: 1000 };

/** Sequences that chance seldom makes: copies that are read, and a value set again as another node removes it. */
const EXAMPLES: readonly Step[][] = [
  [
    { do: 'used' },
    ...stepsOn(0, 'set'),
    LATER,
    ...stepsOn(1, 'read'),
    LATER,
    { do: 'used' },
    ...stepsOn(1, 'read'),
    LATER,
    ...stepsOn(0, 'read'),
  ],
  [...stepsOn(0, 'set'), ...stepsOn(1, 'set'), ...stepsOn(0, 'remove'), ...stepsOn(1, 'set', 'read')],
];

/** What one sequence of steps led to. */
interface Outcome {
  readonly issued: number;
  readonly hits: number;
}

await describeOnRedis('whatever Redis does', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.remove());

  /** Puts Redis before a store; time on the manual clock waits for what is asked of it. */
  function behindRedis(store: Store, format: RedisFormat, world: Awaited<ReturnType<typeof createWorld>>) {
    const { clock } = world;
    const link = openRedisLink(
      { kind: 'single', url: new Secret(server.url) },
      { clock: systemClock, random: Math.random },
    );
    const accelerated = accelerate(store, link, {
      format,
      sealer,
      installation: world.databasePath,
      clock: { now: clock.now, sleep: systemClock.sleep },
      log: keptLog(),
      sender: randomUUID(),
    });
    const { credentials } = accelerated;
    const { peek = credentials.get } = credentials;
    return {
      accelerated,
      store: {
        ...accelerated,
        // Without word of changes, which would hide what is not revalidated.
        changes: undefined,
        credentials: {
          ...credentials,
          get: (id: string) => clock.during(() => credentials.get(id)),
          peek: (id: string) => clock.during(() => peek(id)),
          commit: (...call: Parameters<typeof credentials.commit>) =>
            clock.during(() => credentials.commit(...call)),
          remove: (id: string) => clock.during(() => credentials.remove(id)),
        },
      },
    };
  }
  const sealer = createSealer([new Secret(newSealKey())]);

  async function play(steps: readonly Step[], format: RedisFormat | undefined): Promise<Outcome> {
    const world = await createWorld();
    const { clock } = world;
    const stores: Store[] = [];
    const nodes: Node[] = [];
    for (let number = 0; number < 2; number += 1)
      nodes.push(
        await world.node({
          through(store) {
            if (format === undefined) return store;
            const { accelerated, store: waiting } = behindRedis(store, format, world);
            stores.push(accelerated);
            return waiting;
          },
        }),
      );
    const used = (): Promise<unknown> =>
      Promise.all(stores.map(store => eventually(() => store.accelerator?.state().ok === true)));
    await used();

    let written: string | undefined;
    let writtenAt = clock.now();
    /** What may be read for a second after a write: how nodes without word of changes are. */
    let allowed = new Set<string | undefined>([undefined]);
    const seen = [0, 0];
    let counter = 0;
    const note = (value: string | undefined): void => {
      if (clock.now() - writtenAt >= 1000) allowed = new Set([written]);
      written = value;
      writtenAt = clock.now();
      allowed.add(value);
    };
    const epochs = [0, 0];
    let isDown = false;
    try {
      for (const each of steps) {
        const at = 'node' in each ? each.node : 0;
        const node = nodes[at] as Node;
        switch (each.do) {
          case 'token': {
            const token = await clock.settled(node.authority.get(TOKEN));
            expect(token.epoch).toBeGreaterThanOrEqual(epochs[at] as number);
            expect(token.expiresAt).toBeGreaterThan(clock.now());
            epochs[at] = token.epoch;
            break;
          }
          case 'renew':
            await clock.settled(node.authority.renew(TOKEN));
            break;
          case 'set': {
            counter += 1;
            const value = String(counter).padStart(22, '0');
            await clock.settled(node.values.set(SESSION, { session_key: value }, Number.POSITIVE_INFINITY));
            note(value);
            seen[at] = counter;
            break;
          }
          case 'remove':
            await clock.settled(node.values.remove(SESSION));
            note(undefined);
            break;
          case 'read': {
            const reading = await clock.settled(node.values.get(SESSION));
            const value = reading.state === 'usable' ? String(reading.value['session_key']) : undefined;
            if (clock.now() - writtenAt >= 1000) expect(value).toBe(written);
            else expect(allowed).toContain(value);
            if (value === undefined) break;
            expect(Number(value)).toBeGreaterThanOrEqual(seen[at] as number);
            seen[at] = Number(value);
            break;
          }
          case 'pass':
            await clock.advance(each.ms);
            break;
          default:
            if (format === undefined) break;
            isDown = await disturb(each.do, isDown, used);
        }
      }
      const hits = stores.reduce((sum, store) => sum + (store.accelerator?.counts().hits ?? 0), 0);
      return { issued: world.platform.counters(MP).stable.calls, hits };
    } finally {
      server.thaw();
      if (isDown) await server.start();
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
      await server.command('FLUSHALL');
      // The database is closed with the test.
      for (const store of stores) await store.close();
    }
  }

  /** Resolves to whether Redis is down afterwards. */
  async function disturb(what: string, isDown: boolean, used: () => Promise<unknown>): Promise<boolean> {
    if (what === 'kill') {
      server.thaw();
      await server.kill();
      return true;
    }
    if (what === 'start' || what === 'used') {
      server.thaw();
      if (isDown) await server.start();
      if (what === 'used') await used();
      return false;
    }
    if (isDown) return true;
    if (what === 'freeze') server.freeze();
    else server.thaw();
    if (what === 'flush') await server.command('FLUSHALL');
    if (what === 'fill') await server.command('CONFIG', 'SET', 'maxmemory', '1');
    if (what === 'empty') await server.command('CONFIG', 'SET', 'maxmemory', '0');
    if (what === 'rubbish')
      for (const id of [SESSION_ID, TOKEN_ID]) {
        await server.command('CONFIG', 'SET', 'maxmemory', '0');
        await server.command('SET', id, 'rubbish');
      }
    return false;
  }

  test.each([
    ['a token of an app', TOKEN, TOKEN_ID, 'access_token'],
    ['the session key of a user', SESSION, SESSION_ID, 'session_key'],
  ] as const)(
    'an older copy that somebody puts back is not taken over what is known: %s',
    async (_what, ref, id, field) => {
      const world = await createWorld();
      const stores: Store[] = [];
      const through = (store: Store): Store => {
        const { accelerated, store: waiting } = behindRedis(store, 'sealed', world);
        stores.push(accelerated);
        return waiting;
      };
      const [writer, reader] = [await world.node({ through }), await world.node({ through })];
      await Promise.all(stores.map(store => eventually(() => store.accelerator?.state().ok === true)));
      const set = (value: string): Promise<void> =>
        world.clock.settled(writer.values.set(ref, { [field]: value }, world.clock.now() + 7_000_000));
      const read = async (): Promise<unknown> => {
        const reading = await world.clock.settled(reader.values.get(ref));
        return reading.state === 'usable' && reading.value[field];
      };
      const copy = async (): Promise<string> => String(await server.command('GET', id));
      await set('former');
      expect(await read()).toBe('former');
      await eventually(async () => (await copy()).startsWith('sealed:'));
      const former = await copy();
      await world.clock.advance(1000);
      await set('present');
      expect(await read()).toBe('present');
      await eventually(async () => (await copy()).startsWith('sealed:'));
      await server.command('SET', id, former, 'PX', '30000');
      await world.clock.advance(1000);
      expect(await read()).toBe('present');
      // And it was put right for those who know nothing yet.
      expect(await copy()).not.toBe(former);
      await Promise.all(stores.map(store => store.close()));
      await server.command('FLUSHALL');
    },
  );

  test.each(['sealed', 'plain'] as const)(
    'nothing older comes after something newer, and nothing is issued for it: %s',
    async format => {
      let hits = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async steps => {
          const without = await play(steps, undefined);
          const outcome = await play(steps, format);
          expect(outcome.issued).toBeLessThanOrEqual(without.issued);
          hits += outcome.hits;
        }),
        { numRuns: 15, examples: EXAMPLES.map(steps => [steps]) },
      );
      expect(hits).toBeGreaterThan(0);
    },
    120_000,
  );
});
