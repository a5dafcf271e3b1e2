import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NEWS, SHOP } from '../../../test/support/bridge.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { appEntry, OTHER_APPS, startPatient, startRunning } from './doctor.fixture.ts';

const KEY = 'canary-k4Jx9QmZ2vLw7RtY';

describe('a running bridge', () => {
  it('holds its ports, is ready, and tells what it has', async () => {
    const test = await startRunning();
    await expect.poll(async () => (await fetch(`${test.gateway}/cgi-bin/getcallbackip`)).status).toBe(200);
    const found = await test.look();
    for (const name of ['control', 'gateway', 'gatewayTls'])
      expect(found.of(`listen.${name}`)).toMatchObject({
        status: 'ok',
        found: expect.stringContaining('held by the running bridge'),
      });
    expect(found.of('bridge')).toMatchObject({ status: 'ok' });
    await expect
      .poll(async () => (await test.look()).of('bridge: shop')?.found)
      .toMatch(/holds access_token [0-9a-f]{16}, 7\d\d\d s left/);
    expect(found.of('gateway')).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/HTTP 200, x-openapi-seqid \S+/),
    });
    expect(found.all.filter(({ status }) => status === 'fail')).toEqual([]);
  });

  it('is told of when it is of another version, or does not know an app', async () => {
    const test = await startRunning();
    const other = await test.look({}, { version: '9.9.9' });
    expect(other.all).toContainEqual(
      expect.objectContaining({ name: 'bridge', status: 'warn', found: expect.stringContaining('9.9.9') }),
    );
    const path = join(test.folder, 'open-bridge.json');
    const renamed = readFileSync(path, 'utf8').replace(NEWS.appid, 'wx00000000000000c3');
    writeFileSync(path, renamed);
    const found = await test.look({ offline: true });
    expect(found.of('bridge: news')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('does not know wx00000000000000c3'),
    });
  });

  it('says which credential it cannot get', async () => {
    const test = await startRunning();
    test.simulator.setAccount(NEWS.appid, { frozenSecret: true });
    test.simulator.revoke(NEWS.appid);
    await fetch(`${test.gateway}/cgi-bin/getcallbackip?from_appid=${NEWS.appid}`);
    const found = await test.look();
    expect(found.all.find(({ found: text }) => text.includes('tries for a new one failed'))).toMatchObject({
      name: 'bridge: news',
      found: expect.stringContaining('40243'),
      advice: expect.stringContaining('unfreeze'),
    });
  });

  it('does not tell a stranger, and says which key it wants', async () => {
    const test = await startRunning({ callers: [{ name: 'orders', key: KEY }] });
    const found = await test.look();
    expect(found.of('bridge: credentials')).toMatchObject({
      status: 'skipped',
      advice: expect.stringContaining('OPEN_BRIDGE_ADMIN_KEY'),
    });
    expect(found.of('gateway')).toMatchObject({
      status: 'ok',
      advice: expect.stringContaining('OPEN_BRIDGE_CALLER_KEY'),
    });
    const known = await test.look({}, { env: { OPEN_BRIDGE_CALLER_KEY: KEY } });
    expect(known.of('gateway')?.found).toContain('HTTP 200');
    const wrong = await test.look({}, { env: { OPEN_BRIDGE_CALLER_KEY: 'wrong-k4Jx9QmZ2vLw' } });
    expect(wrong.of('gateway')).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining('no caller'),
    });
  });

  it('whose CA certificate was replaced behind its back', async () => {
    const test = await startRunning();
    const stranger = await startRunning();
    const { certificateFile } = stranger.bridge;
    writeFileSync(test.bridge.certificateFile ?? '', readFileSync(certificateFile ?? '', 'utf8'));
    expect((await test.look()).of('listen.gatewayTls')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('not one of the CA'),
    });
  });

  it('that does not run', async () => {
    const [control, gateway] = [await freePort(), await freePort()];
    const patient = await startPatient({
      listen: { control: `127.0.0.1:${control}`, gateway: `127.0.0.1:${gateway}` },
    });
    const found = await patient.examine();
    expect(found.of('bridge')).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining('open-bridge serve'),
    });
    expect(found.of('gateway')).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it.each([
    ['is not ready', { status: 'degraded', checks: { database: 'it is locked' } }, 'fail', 'it is locked'],
    ['is about to stop', { status: 'draining', checks: { database: 'ok' } }, 'warn', 'about to stop'],
  ])('that %s', async (_what, readyz, status, text) => {
    const server = createServer((req, res) => {
      res.statusCode = req.url === '/readyz' ? 503 : 200;
      const answers: Record<string, unknown> = {
        '/livez': { status: 'ok' },
        '/readyz': readyz,
      };
      res.end(JSON.stringify(answers[req.url ?? ''] ?? {}));
    });
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = await (await startPatient()).examine({ offline: true, url });
    expect(found.of('bridge')).toMatchObject({ status, found: expect.stringContaining(text) });
  });
});

describe('the gateway', () => {
  it.each([
    ['site', '/sns/auth'],
    ['mobile', '/sns/auth'],
    ['qq-mini', '/sns/jscode2session'],
    ['qq-login', '/oauth2.0/me?fmt=json'],
  ])('is tried as %s, which gets no token', async (name, path) => {
    const test = await startRunning({ apps: OTHER_APPS.filter(app => app.name === name) });
    const found = await test.look();
    expect(found.of('gateway')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining(`GET ${path} through ${test.gateway}: HTTP 200`),
    });
    expect(found.of('gateway')?.found).toContain('the platform answers through it');
    expect(found.all.filter(({ status }) => status === 'fail')).toEqual([]);
  });

  it('is tried with a token where there is one, whatever else is configured', async () => {
    const apps = [{ ...OTHER_APPS[2], default: true }, appEntry(SHOP), appEntry(NEWS)];
    const test = await startRunning({ apps });
    const unnamed = await test.look();
    expect(unnamed.of('gateway')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('HTTP 404, errcode 40013'),
      advice: expect.stringContaining('from_appid'),
    });
    const named = await test.look({ app: 'news' });
    expect(named.of('gateway')?.found).toMatch(
      /^GET \/cgi-bin\/getcallbackip\?from_appid=wx00000000000000b2 through \S+: HTTP 200, x-openapi-seqid \S+$/,
    );
  });

  it('that is none', async () => {
    const server = createServer((_, res) => res.end('hello'));
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const patient = await startPatient({ listen: { gateway: `127.0.0.1:${port}` } });
    const found = await patient.examine();
    expect(found.of('gateway')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('not a gateway'),
    });
  });

  it('that has no credential, and one that does not allow the path', async () => {
    const test = await startRunning({ openapi: { allow: [] } });
    expect((await test.look()).of('gateway')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('HTTP 403'),
      advice: expect.stringContaining('URL不在白名单内'),
    });
    test.reconfigure({ openapi: { allow: ['/*'] } });
    test.simulator.setAccount(SHOP.appid, { frozenSecret: true });
    test.simulator.revoke(SHOP.appid);
    const found = await test.look();
    expect(found.of('gateway')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/errcode 40(001|243)/),
    });
  });
});
