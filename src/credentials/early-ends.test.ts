import { describe, expect, test } from 'vitest';
import { appOf, createWorld, MP } from '../../test/support/world.ts';
import type { CredentialRef } from './credentials.ts';

const MINUTE = 60_000;
const stable: CredentialRef = { app: appOf(MP), kind: 'access-token' };
const classic: CredentialRef = { app: appOf(MP, { tokenMode: 'classic' }), kind: 'access-token' };

async function holding(ref: CredentialRef) {
  const world = await createWorld();
  const node = await world.node();
  const held = () => world.clock.settled(node.authority.get(ref));
  const refuse = async (observedBy: 'gateway' | 'caller' = 'gateway') => {
    const { fingerprint } = (await held()).value;
    const report = { fingerprint, errcode: 40001, observedBy };
    return world.clock.settled(node.authority.report(ref, report));
  };
  await held();
  return { ...world, node, refuse, status: () => node.authority.status(ref) };
}

const said = 'a credential died before its time, and not by our doing';

describe('a rival that asks for classic tokens of its own', () => {
  test('is noticed, with how often, how long tokens live, and what to do', async () => {
    const { node, platform, clock, refuse, status } = await holding(classic);
    for (let round = 0; round < 3; round += 1) {
      await clock.advance(10 * MINUTE);
      platform.revoke(MP, 'classic');
      await refuse();
    }
    expect(await status()).toMatchObject({
      earlyEnds: {
        lastDay: 3,
        total: 3,
        lastAt: expect.any(Number),
        likelyCause: expect.stringContaining('another program holds the secret'),
        advice: expect.stringContaining('"tokenEndpoint": "stable"'),
      },
    });
    expect(node.log.messages('warn').filter(message => message === said)).toHaveLength(3);
    expect(node.events.filter(({ type }) => type === 'ended-early')).toHaveLength(3);
    await clock.advance(24 * 60 * MINUTE);
    expect(await status()).toMatchObject({ earlyEnds: { lastDay: 0, total: 3 } });
    await clock.advance(30 * 24 * 60 * MINUTE);
    expect((await status()).earlyEnds).toBeUndefined();
  });

  test('is not assumed on the word of a caller', async () => {
    const { platform, refuse, status } = await holding(classic);
    platform.revoke(MP, 'classic');
    await refuse('caller');
    expect((await status()).earlyEnds).toBeUndefined();
  });

  test('is not assumed of a token near its end', async () => {
    const { platform, clock, refuse, status } = await holding(classic);
    clock.jump(6920_000);
    platform.revoke(MP, 'classic');
    await refuse();
    expect((await status()).earlyEnds).toBeUndefined();
  });
});

describe('a stable token that somebody forced away', () => {
  test('is noticed, on the word of a caller too, as the platform has another one', async () => {
    for (const by of ['gateway', 'caller'] as const) {
      const { platform, refuse, status } = await holding(stable);
      platform.revoke(MP, 'stable');
      await refuse(by);
      expect(await status()).toMatchObject({
        earlyEnds: { lastDay: 1, likelyCause: expect.stringContaining('force_refresh') },
      });
    }
  });

  test('by an operator of ours is not noticed', async () => {
    const { node, clock, status } = await holding(stable);
    await clock.settled(node.authority.rotate(stable));
    expect((await status()).earlyEnds).toBeUndefined();
  });
});

test('an alarm says when it is over', async () => {
  const { node, platform, clock, status } = await holding(stable);
  platform.setAccount(MP, { frozenSecret: true });
  await clock.settled(node.authority.rotate(stable)).catch(() => {});
  expect((await status()).failure).toMatchObject({ errorClass: 'configuration' });
  platform.setAccount(MP, { frozenSecret: false });
  await clock.advance(11 * MINUTE);
  await clock.settled(node.authority.rotate(stable));
  expect(node.log.messages('warn')).toContain('alarm over: the platform issues this credential again');
  expect((await status()).failure).toBeUndefined();
});
