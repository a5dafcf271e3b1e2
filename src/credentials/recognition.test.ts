import { describe, expect, test } from 'vitest';
import { appOf, createWorld, MP } from '../../test/support/world.ts';
import { createAppDirectory } from './apps.ts';
import { createRecognition } from './recognition.ts';

const app = appOf(MP, { tokenMode: 'classic' });
const ref = { app, kind: 'access-token' } as const;
const SECOND = 1000;

async function setup() {
  const world = await createWorld();
  const node = await world.node();
  const apps = createAppDirectory([app]);
  const recognize = createRecognition({ store: node.store, apps, now: () => world.clock.now() });
  const issue = async () => (await world.clock.settled(node.authority.get(ref))).value.fingerprint;
  return { world, node, apps, recognize, issue };
}

describe('recognising a token that was ours to give', () => {
  test('the current value is, a stranger is not', async () => {
    const { recognize, issue } = await setup();
    expect(await recognize(await issue())).toEqual(ref);
    expect(await recognize('0123456789abcdef')).toBeUndefined();
  });

  test('the previous value is for as long as the platform honours it, and not a moment longer', async () => {
    const { world, node, recognize, issue } = await setup();
    const first = await issue();
    await world.clock.advance(6900 * SECOND);
    expect(await world.clock.settled(node.authority.renew(ref))).toBe('renewed');
    const row = await node.store.credentials.findByFingerprint(first);
    expect(row?.previous?.fingerprint).toBe(first);
    expect(await recognize(first)).toEqual(ref);
    world.clock.jump((row?.previous?.expiresAt ?? 0) - world.clock.now());
    expect(await recognize(first)).toBeUndefined();
    expect(await recognize(row?.fingerprint ?? '')).toEqual(ref);
  });

  test('a value an operator replaced is a stranger at once, or within seconds where it was in use', async () => {
    const { world, node, recognize, issue } = await setup();
    const stable = { app: appOf(MP), kind: 'access-token' } as const;
    const leaked = (await world.clock.settled(node.authority.get(stable))).value.fingerprint;
    await world.clock.settled(node.authority.rotate(stable));
    expect(await recognize(leaked)).toBeUndefined();
    await issue();
  });

  test('an app that is no longer configured has no tokens', async () => {
    const { apps, recognize, issue } = await setup();
    const fingerprint = await issue();
    apps.replace([]);
    expect(await recognize(fingerprint)).toBeUndefined();
  });
});
