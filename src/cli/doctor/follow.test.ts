import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  FOLLOW_KEY,
  FOLLOWER,
  startFollowed,
  writeFollowerConfig,
} from '../../../test/e2e/follow.fixture.ts';
import { startUpstream } from '../../gateway/wire.fixture.ts';
import { type Patient, startPatient } from './doctor.fixture.ts';

/** A follower's configuration, and what the doctor says of it. */
async function examined(patient: Patient, follow: { readonly gateway: string } & Record<string, unknown>) {
  writeFollowerConfig(patient.folder, follow);
  const found = await patient.examine();
  expect(found.text).not.toContain(FOLLOW_KEY);
  return found;
}

describe('a bridge that follows another', () => {
  it('is well when that one answers and takes the key, and the platform is left alone', async () => {
    const patient = await startPatient();
    const followed = await startFollowed();
    const found = await examined(patient, { gateway: followed.gateway });
    expect(found.of('follow')).toMatchObject({ status: 'ok' });
    for (const name of ['upstream', 'apps']) expect(found.of(name)).toMatchObject({ status: 'skipped' });
    expect(found.all.filter(({ status }) => status === 'fail')).toEqual([]);
    // Where other users come too: anybody may read a certificate, unlike what else the configuration names.
    const folder = join(patient.folder, 'public');
    const file = join(folder, 'gateway-ca.crt');
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    copyFileSync(followed.bridge.certificateFile ?? '', file);
    chmodSync(file, 0o644);
    const https = `https://127.0.0.1:${followed.bridge.gatewayTls?.port}`;
    const trusting = await examined(patient, { gateway: https, ca: `\${file:${file}}` });
    expect(trusting.of('follow')).toMatchObject({ status: 'ok' });
    expect(trusting.text).not.toContain(file);
    expect((await examined(patient, { gateway: https })).of('follow')).toMatchObject({ status: 'fail' });
    // Its own renewal aside, the bridge that is followed did not turn to the platform either.
    const { '/cgi-bin/stable_token': _renewal, ...other } = followed.simulator.counters().total.calls;
    expect(other).toEqual({});
    expect(patient.simulator.counters().total.calls).toEqual({});
  });

  it('is told why that one does not serve it', async () => {
    const patient = await startPatient();
    const followed = await startFollowed({
      config: {
        callers: [
          { ...FOLLOWER, expires: '2020-01-01T00:00:00Z' },
          { name: 'mute', key: 'a-key-without-scope-call', scopes: ['calls:read'] },
        ],
      },
    });
    const { gateway } = followed;
    expect((await examined(patient, { gateway })).of('follow')).toMatchObject({
      ...{
        status: 'fail',
        found: expect.stringMatching(/does not take follow\.key.*staging expired at 2020/),
      },
    });
    expect(
      (await examined(patient, { gateway, key: 'a-key-that-nobody-has' })).of('follow')?.found,
    ).toContain('HTTP 401');
    expect(
      (await examined(patient, { gateway, key: 'a-key-without-scope-call' })).of('follow')?.found,
    ).toContain('HTTP 403');
    const page = await startUpstream((_req, res) => res.end('<html>'));
    onTestFinished(() => page.close());
    expect((await examined(patient, { gateway: page.origin })).of('follow')?.found).toContain('no gateway');
    expect((await examined(patient, { gateway: 'http://127.0.0.1:9' })).of('follow')?.found).toContain(
      'ECONNREFUSED',
    );
  });
});

it('says when a caller has expired or soon will', async () => {
  const patient = await startPatient({
    callers: [
      { name: 'past', key: 'Zq3vB8nM1kL6xT0pW5', expires: '2020-01-01T00:00:00Z' },
      { name: 'far', key: 'Rt7yU2iO9pA4sD6fG1', expires: '2999-01-01T00:00:00Z' },
    ],
  });
  const found = (await patient.examine({ offline: true })).all.filter(({ name }) => name === 'callers');
  expect(found).toEqual([
    expect.objectContaining({
      status: 'warn',
      found: expect.stringContaining('caller past expired at 2020'),
    }),
  ]);
});
