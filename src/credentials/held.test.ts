import { expect, test } from 'vitest';
import { appOf, createWorld, MP } from '../../test/support/world.ts';
import type { CredentialRef } from './credentials.ts';

const ref: CredentialRef = { app: appOf(MP), kind: 'access-token' };

async function worldWithToken() {
  const world = await createWorld();
  const node = await world.node();
  const credential = await world.clock.settled(node.authority.get(ref));
  return { world, node, credential };
}

test('nothing is held before it was asked for, and asking costs the platform nothing', async () => {
  const world = await createWorld();
  const node = await world.node();
  expect(node.authority.held(ref)).toBeUndefined();
  expect(world.platform.counters(MP).stable.calls).toBe(0);
});

test('what was given is held until the store has to be asked again', async () => {
  const { world, node, credential } = await worldWithToken();
  expect(node.authority.held(ref)).toBe(credential);
  world.clock.jump(999);
  expect(node.authority.held(ref)).toBe(credential);
  world.clock.jump(1);
  expect(node.authority.held(ref)).toBeUndefined();
  await world.clock.settled(node.authority.get(ref));
  expect(node.authority.held(ref)?.epoch).toBe(credential.epoch);
});

test('what another process renewed is held no longer than a second', async () => {
  const { world, node, credential } = await worldWithToken();
  const other = await world.node();
  await world.clock.settled(node.authority.get(ref));
  const { credential: renewed } = await world.clock.settled(other.authority.rotate(ref));
  world.clock.jump(1000);
  expect(node.authority.held(ref)).toBeUndefined();
  await world.clock.settled(node.authority.get(ref));
  expect(node.authority.held(ref)?.value.fingerprint).toBe(renewed.value.fingerprint);
  expect(renewed.value.fingerprint).not.toBe(credential.value.fingerprint);
});

test('what is due or over, and what was confirmed before the clock went back, is left to get', async () => {
  const { world, node } = await worldWithToken();
  const { renewAt = Number.NaN } = await node.authority.status(ref);
  world.clock.jump(Math.ceil(renewAt) - 1 - world.clock.now());
  await node.authority.status(ref);
  expect(node.authority.held(ref)).toBeDefined();
  world.clock.jump(1);
  expect(node.authority.held(ref)).toBeUndefined();

  const back = await worldWithToken();
  back.world.clock.jump(-10);
  expect(back.node.authority.held(ref)).toBeUndefined();
});
