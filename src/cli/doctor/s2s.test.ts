import { describe, expect, it } from 'vitest';
import { startPatient } from './doctor.fixture.ts';

const KEY = 'canary-k4Jx9QmZ2vLw7RtYq0e';
const SIGN = { type: 'sign', signKey: KEY };

describe('uni-cloud-s2s', () => {
  it.each([
    ['a clock that agrees', {}, 0, 'ok', /hmac-sha256.*differ by 60 s; this one agrees with 127\.0\.0\.1/],
    ['a clock that eats up most of it', {}, 45_000, 'warn', /this clock is 4[45] s behind that of/],
    [
      'a clock too far off',
      {},
      -90_000,
      'fail',
      /(89|9[01]) s ahead of .* signed by a right clock are refused/,
    ],
    ['a clock that a wide tolerance bears', { timeDiffTolerance: 300 }, 90_000, 'ok', /differ by 300 s/],
  ])('signed, with %s', async (_name, change, offMs, status, found) => {
    const patient = await startPatient({ s2s: { ...SIGN, ...change } });
    patient.simulator.clock.set(Date.now() + offMs);
    expect((await patient.examine()).of('s2s')).toMatchObject({
      status,
      found: expect.stringMatching(found),
      ...(status !== 'ok' && { advice: expect.stringContaining('timeDiffTolerance') }),
    });
  });

  it('is not judged without the time of a platform, and not mentioned where it is not used', async () => {
    const patient = await startPatient({ s2s: SIGN });
    expect((await patient.examine({ offline: true })).of('s2s')).toMatchObject({ status: 'skipped' });
    patient.simulator.faults.add({ kind: 'silent' });
    expect((await patient.examine({}, { timeoutMs: 200 })).of('s2s')).toMatchObject({
      status: 'skipped',
      found: expect.stringContaining('no platform said what time it is'),
    });
    patient.configure({});
    expect((await patient.examine({ offline: true })).of('s2s')).toBeUndefined();
  });

  it.each([SIGN, { type: 'connectCode', connectCode: KEY }])('never shows its secret: %j', async s2s => {
    const patient = await startPatient({ s2s });
    const fault = { errcode: -1, errmsg: `busy with ${KEY}`, path: '/cgi-bin/stable_token' };
    patient.simulator.faults.add({ kind: 'errcode', ...fault });
    const found = await patient.examine();
    expect(found.of('shop: secret')?.found).toMatch(/-1 busy with \S+/);
    expect(found.text + JSON.stringify(found.all)).not.toContain(KEY);
  });

  it('by connect code needs no clock', async () => {
    const patient = await startPatient({ s2s: { type: 'connectCode', connectCode: KEY } });
    patient.simulator.clock.set(Date.now() + 90_000);
    expect((await patient.examine()).of('s2s')).toMatchObject({ status: 'ok' });
  });
});
