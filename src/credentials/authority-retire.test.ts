import { expect, test } from 'vitest';
import { appOf, createWorld, MP } from '../../test/support/world.ts';
import type { CredentialRef } from './credentials.ts';

const SECOND = 1000;
const ref: CredentialRef = { app: appOf(MP), kind: 'access-token' };
const classic: CredentialRef = { app: appOf(MP, { tokenMode: 'classic' }), kind: 'access-token' };

async function started(on: CredentialRef = ref) {
  const world = await createWorld();
  const [one, other] = [await world.node(), await world.node()];
  const { clock, platform } = world;
  const first = (await clock.settled(one.authority.get(on))).value.fingerprint;
  const retire = (node: typeof one, fingerprint = first) =>
    clock.settled(node.authority.retire(on, fingerprint));
  const forced = (): number => platform.counters(MP).stable.forced;
  return { clock, platform, one, other, first, retire, forced };
}

test('a token is forced out once, however many ask and wherever', async () => {
  const { clock, one, other, retire, forced, platform, first } = await started();
  const asked = await clock.settled(
    Promise.all([
      one.authority.retire(ref, first),
      one.authority.retire(ref, first),
      other.authority.retire(ref, first),
    ]),
  );
  expect(forced()).toBe(1);
  const now = platform.state.token(MP, 'stable');
  for (const { credential } of asked) expect(credential.value.reveal()).toBe(now);
  expect(asked.some(({ outcome }) => outcome === 'replaced')).toBe(true);
  clock.jump(31 * SECOND);
  expect(await retire(other)).toMatchObject({ outcome: 'already' });
  expect(forced()).toBe(1);
});

test('a token that was merely renewed lives on at the platform, so its successor is forced out too', async () => {
  const { clock, one, retire, forced, platform, first } = await started();
  const old = platform.state.token(MP, 'stable') ?? '';
  clock.jump((7200 - 150) * SECOND);
  await clock.settled(one.authority.renew(ref));
  expect(platform.state.tokens(MP)).toHaveLength(2);
  expect(await retire(one, first)).toMatchObject({ outcome: 'replaced' });
  expect(forced()).toBe(1);
  expect(platform.state.tokens(MP)).toHaveLength(1);
  expect(platform.state.tokens(MP)).not.toContain(old);
});

test('the same value from the platform is told as kept, and the spacing with its wait', async () => {
  const { clock, retire, platform, one } = await started();
  platform.setAccount(MP, { forceSpacingSeconds: 90 });
  const { credential } = await retire(one);
  const { fingerprint } = credential.value;
  await expect(retire(one, fingerprint)).rejects.toMatchObject({
    code: 'BUDGET_EXHAUSTED',
    retryAfterMs: expect.toSatisfy((ms: number) => ms > 29 * SECOND && ms <= 30 * SECOND),
  });
  clock.jump(31 * SECOND);
  expect(await retire(one, fingerprint)).toMatchObject({ outcome: 'kept', credential: { epoch: 2 } });
  clock.jump(60 * SECOND);
  expect(await retire(one, fingerprint)).toMatchObject({ outcome: 'replaced', credential: { epoch: 3 } });
});

test('a classic token is replaced by an ordinary issue, and not served on as the previous one', async () => {
  const { one, other, retire, first, platform } = await started(classic);
  expect(await retire(one)).toMatchObject({ outcome: 'replaced' });
  expect(await retire(other)).toMatchObject({ outcome: 'already' });
  expect(platform.counters(MP).classic.issued).toBe(2);
  expect(await one.store.credentials.findByFingerprint(first)).toBeUndefined();
});

test('what is pushed in from outside cannot be retired here', async () => {
  const { one, clock } = await started();
  const pushed: CredentialRef = { app: appOf(MP, { managed: false }), kind: 'access-token' };
  await expect(clock.settled(one.authority.retire(pushed, '0123456789abcdef'))).rejects.toMatchObject({
    code: 'CREDENTIAL_UNAVAILABLE',
  });
});
