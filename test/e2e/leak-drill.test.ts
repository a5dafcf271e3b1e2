import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../src/base/secret.ts';
import type { Client } from '../../src/client/client.ts';
import type { LeakDrillBody } from '../../src/contract/leak-drill.ts';
import type { Simulator } from '../../src/simulator/index.ts';
import { NEWS, SHOP } from '../support/bridge.ts';
import { manualClock } from '../support/manual-clock.ts';
import { openStage, refusalOf } from './sessions.fixture.ts';

const ADMIN_KEY = 'canary-admin-key-of-the-drill';
const ORDERS_KEY = 'canary-key-of-orders-0123456789';
const SPARE_KEY = 'canary-second-key-of-orders-0123';
const SDK_KEY = 'canary-key-of-virtual-sdk-012345';
const READER_KEY = 'canary-key-of-a-reader-012345678';
const OPERATOR_KEY = 'canary-key-of-an-operator-012345';
const AUDITOR_KEY = 'canary-key-of-an-auditor-0123456';
const KEYS = [AUDITOR_KEY, ADMIN_KEY, ORDERS_KEY, SPARE_KEY, SDK_KEY, READER_KEY, OPERATOR_KEY];

const CONFIG = {
  admin: { keys: [ADMIN_KEY] },
  callers: [
    { name: 'orders', keys: [ORDERS_KEY, SPARE_KEY] },
    { name: 'sdk', key: SDK_KEY, tokens: 'virtual' },
    { name: 'reader', key: READER_KEY, scopes: ['credential:read'] },
    { name: 'operator', key: OPERATOR_KEY, apps: ['news'], scopes: ['operate'] },
    { name: 'auditor', key: AUDITOR_KEY, apps: ['news'], scopes: ['operate', 'audit:read'] },
  ],
};

/** A bridge on a clock of the test's, with an operator at work. */
async function openDrill(change: Record<string, unknown> = {}, prepare?: (simulator: Simulator) => void) {
  const clock = manualClock();
  const stage = await openStage({
    clock,
    config: { ...CONFIG, ...change },
    ...(prepare !== undefined && { prepare }),
  });
  stage.hide(...KEYS);
  const { running, simulator } = stage;
  // Made anew each time, as a bridge that was started again has another port.
  const operator = (): Client => stage.client({ adminKey: ADMIN_KEY });

  /** Lets time pass in small steps, with whatever `meanwhile` does in each, until the drill is over. */
  async function over(app = 'shop', meanwhile?: () => Promise<unknown>): Promise<LeakDrillBody> {
    for (let step = 0; step < 2000; step += 1) {
      await Promise.all([clock.advance(250), meanwhile?.()]);
      const drill = await operator().getLeakDrill({ app });
      if (drill.state !== 'running') return operator().getLeakDrill({ app, report: true });
    }
    throw new Error('the drill does not end');
  }

  const begin = (input: Partial<Parameters<Client['startLeakDrill']>[0]> = {}) =>
    operator().startLeakDrill({ app: 'shop', ...input });

  async function call(path: string, key = ORDERS_KEY): Promise<{ status: number; errcode: number }> {
    const answer = await fetch(`${running.gateway}${path}`, { headers: { 'x-bridge-key': key } });
    return { status: answer.status, ...((await answer.json()) as { errcode: number }) };
  }

  /** Asks for a token as an SDK does, with a caller key for its secret. */
  async function token(secret: string, appid: string = SHOP.appid): Promise<string> {
    const query = `grant_type=client_credential&appid=${appid}&secret=${secret}`;
    const answer = await fetch(`${running.gateway}/cgi-bin/token?${query}`);
    const { access_token } = (await answer.json()) as { access_token?: string };
    if (access_token === undefined) throw new Error(`refused with ${answer.status}`);
    return access_token;
  }

  function database(statement: string): void {
    const raw = new DatabaseSync(join(running.folder, 'open-bridge.db'), { timeout: 5000 });
    raw.exec(statement);
    raw.close();
  }

  const working = (appid: string = SHOP.appid) => simulator.state.tokens(appid).map(fingerprintOf);
  return { ...stage, clock, admin: operator(), over, begin, call, token, database, working };
}

describe('a leak drill', () => {
  it('ends the token with two refreshes 30 s apart while no call fails, and tells who had it', async () => {
    const { running, simulator, admin, begin, over, call, token, working } = await openDrill();
    const leaked = fingerprintOf(await token(READER_KEY, NEWS.appid));
    await token(READER_KEY, NEWS.appid);
    const virtual = await token(SDK_KEY, NEWS.appid);
    const ticketPath = `/cgi-bin/ticket/getticket?type=jsapi&from_appid=${NEWS.appid}`;
    const ticketOf = async (): Promise<string> => {
      const answer = await fetch(`${running.gateway}${ticketPath}`, {
        headers: { 'x-bridge-key': ORDERS_KEY },
      });
      return ((await answer.json()) as { ticket: string }).ticket;
    };
    const ticket = await ticketOf();

    const begun = await begin({ app: 'news', revokeCallerKeys: [fingerprintOf(ORDERS_KEY), 'reader'] });
    expect(begun).toMatchObject({ state: 'running', method: 'forced', apartSeconds: 31, startedBy: 'admin' });
    const answers: { status: number; errcode: number }[] = [];
    const load = async (): Promise<void> => {
      const calls = Array.from({ length: 4 }, () =>
        call(`/cgi-bin/getcallbackip?from_appid=${NEWS.appid}`, SPARE_KEY),
      );
      answers.push(...(await Promise.all(calls)));
    };
    const drill = await over('news', load);

    expect(answers.length).toBeGreaterThan(100);
    expect(answers.filter(({ status, errcode }) => status !== 200 || (errcode ?? 0) !== 0)).toEqual([]);
    expect(drill).toMatchObject({ state: 'done', id: begun.id, reason: null });
    expect(drill.steps.map(({ name, state }) => `${name} ${state}`)).toEqual(
      begun.steps.map(({ name }) => `${name} done`),
    );
    expect(simulator.counters(NEWS.appid).stable).toMatchObject({ forced: 2, issued: 3 });
    const [first, second, third] = drill.tokens;
    expect(drill.tokens).toHaveLength(3);
    expect(first).toMatchObject({ fingerprint: leaked, probe: 'refused' });
    expect([second?.probe, third?.probe]).toEqual(['refused', null]);
    expect([third?.endsAt, third?.fingerprint]).toEqual([null, ...working(NEWS.appid)]);
    expect(Date.parse(second?.endsAt ?? '') - Date.parse(first?.endsAt ?? '')).toBeGreaterThanOrEqual(30_000);

    // What was taken back.
    expect(drill.revokedKeys.map(({ fingerprint }) => fingerprint).toSorted()).toEqual(
      [ORDERS_KEY, READER_KEY].map(fingerprintOf).toSorted(),
    );
    expect(drill.revokedCallers).toEqual(['orders', 'sdk', 'reader', 'operator', 'auditor']);
    expect(await call('/cgi-bin/getcallbackip', ORDERS_KEY)).toMatchObject({
      status: 401,
      errmsg: expect.stringMatching(/this key was revoked on 2026-03-01T04:00:.*Z; use another/),
    });
    await expect(token(READER_KEY, NEWS.appid)).rejects.toThrow('401');
    expect(await call(`/cgi-bin/getcallbackip?access_token=${virtual}`)).toMatchObject({ errcode: 40001 });
    expect(await call(`/cgi-bin/getcallbackip?access_token=${await token(SDK_KEY)}`)).toMatchObject({
      status: 200,
    });
    expect(drill.tickets).toEqual([{ kind: 'ticket', outcome: 'replaced' }]);
    expect(simulator.counters(NEWS.appid).ticket.issued).toBe(2);

    // Who had it.
    expect(drill.report).toMatchObject({ truncated: false, warnings: [expect.stringContaining('ticket')] });
    expect(drill.report?.readers).toMatchObject([
      { actor: 'reader', address: '127.0.0.1', how: 'token-issued', credential: leaked, times: 2 },
    ]);
    expect(drill.report?.calls[0]).toMatchObject({ caller: 'orders' });
    expect(drill.budget).toEqual({ name: 'token-force', used: 2, left: 18 });

    const { entries } = await admin.listAudit({ app: 'news', action: 'leak-drill', limit: 50 });
    expect(entries.map(({ detail }) => detail).toSorted()).toEqual(
      ['start', ...drill.steps.slice(1).map(({ name }) => `${name} of drill ${drill.id}`)].toSorted(),
    );
    expect(new Set(entries.map(({ actor, address }) => `${actor} ${address}`))).toEqual(
      new Set(['admin 127.0.0.1']),
    );
    const revoked = await admin.listAudit({ credential: fingerprintOf(READER_KEY) });
    expect(revoked.entries).toMatchObject([
      { action: 'revoke', kind: 'caller-key', detail: 'key of reader' },
    ]);
    expect(JSON.stringify(drill)).not.toContain(ticket);
  }, 60_000);

  it('ends a classic token with its second successor, without waiting for 30 s', async () => {
    const { simulator, begin, over, token, working, clock } = await openDrill({
      apps: [
        {
          name: 'shop',
          platform: 'weixin-mp',
          appid: SHOP.appid,
          secret: SHOP.secret,
          tokenEndpoint: 'classic',
        },
        { name: 'news', platform: 'weixin-h5', appid: NEWS.appid, secret: NEWS.secret },
      ],
    });
    const leaked = fingerprintOf(await token(READER_KEY));
    const before = simulator.counters(SHOP.appid).classic.issued;
    const startedAt = clock.now();
    await begin();
    const drill = await over();
    expect(drill).toMatchObject({ state: 'done', method: 'classic', apartSeconds: 3 });
    expect(clock.now() - startedAt).toBeLessThan(20_000);
    expect(simulator.counters(SHOP.appid).classic.issued).toBe(before + 2);
    const [first, between, last] = drill.tokens;
    expect(working()).toEqual([last?.fingerprint, between?.fingerprint]);
    expect(first).toMatchObject({ fingerprint: leaked, probe: 'refused' });
    expect(between).toMatchObject({ probe: null });
    expect(Date.parse(first?.endsAt ?? '')).toBeLessThanOrEqual(clock.now());
    expect(Date.parse(between?.endsAt ?? '')).toBeGreaterThan(clock.now() + 200_000);
    expect(drill.report?.next.join('\n')).toContain('lives for 5 minutes more');
  }, 30_000);

  it('costs an SDK with a virtual token no more than asking anew once', async () => {
    const { begin, over, call, token, clock } = await openDrill();
    let held = await token(SDK_KEY);
    let anew = 0;
    const failed: number[] = [];
    const asSdk = async (): Promise<void> => {
      const use = () => call(`/cgi-bin/getcallbackip?access_token=${held}`);
      let { errcode = 0 } = await use();
      if (errcode === 40001) {
        anew += 1;
        // The way there and back takes a moment, which the clock here does not know of.
        clock.jump(1);
        held = await token(SDK_KEY);
        ({ errcode = 0 } = await use());
      }
      if (errcode !== 0) failed.push(errcode);
    };
    await begin();
    expect(await over('shop', asSdk)).toMatchObject({ state: 'done' });
    await asSdk();
    expect(failed).toEqual([]);
    expect(anew).toBe(1);
  }, 60_000);

  it('does nothing when the budget does not suffice, and says when it will', async () => {
    const { simulator, begin, call, admin, token, database } = await openDrill();
    await token(READER_KEY);
    database(
      `insert into open_bridge_budgets (subject, period, used, last_at) values ('weixin-mp:${SHOP.appid}:token-force', '2026-03-01', 19, 0)`,
    );
    for (const rehearsal of [true, false])
      expect(await refusalOf(begin({ revokeCallerKeys: ['orders'], rehearsal }))).toMatchObject({
        status: 429,
        message: expect.stringMatching(
          /needs 2 of token-force, and 19 of 20 are used: nothing was done; .* at 2026-03-01T16:00:00.000Z/,
        ),
      });
    expect(simulator.counters(SHOP.appid).stable.forced).toBe(0);
    expect(await call('/cgi-bin/getcallbackip')).toMatchObject({ status: 200 });
    expect(await refusalOf(admin.getLeakDrill({ app: 'shop' }))).toMatchObject({ status: 404 });
    database('update open_bridge_budgets set used = 18');
    expect(await begin()).toMatchObject({ state: 'running' });
  });

  it('can be rehearsed: it looks and reports, and changes nothing', async () => {
    const { begin, call, token, simulator, working, admin } = await openDrill();
    const shown = fingerprintOf(await token(READER_KEY));
    const before = working();
    const plan = await begin({ rehearsal: true, revokeCallerKeys: ['orders'] });
    expect(plan).toMatchObject({
      ...{ id: null, state: 'rehearsed', revokedKeys: [{ caller: 'orders' }, { caller: 'orders' }] },
      revokedCallers: ['orders', 'sdk', 'reader'],
      report: { readers: [{ credential: shown, actor: 'reader', times: 1 }], warnings: [] },
    });
    expect(working()).toEqual(before);
    expect(simulator.counters(SHOP.appid).stable.calls).toBe(1);
    expect(await call('/cgi-bin/getcallbackip')).toMatchObject({ status: 200 });
    expect((await admin.listAudit({ action: 'leak-drill' })).entries).toMatchObject([
      { detail: 'rehearsal' },
    ]);
    const late = await begin({ rehearsal: true, since: '2026-03-01T04:00:30Z' });
    expect(late.report?.readers).toEqual([]);
  });

  it('fails aloud when the platform refuses, and goes on from there when it is started again', async () => {
    const { begin, over, simulator, token, working, admin } = await openDrill();
    await token(READER_KEY);
    const leaked = working();
    simulator.setAccount(SHOP.appid, { ipWhitelist: ['192.0.2.1'] });
    const { id } = await begin({ revokeCallerKeys: ['reader'] });
    const failed = await over();
    expect(failed).toMatchObject({ state: 'failed', reason: expect.stringContaining('40164') });
    expect(failed.steps).toMatchObject([
      ...[{ state: 'done' }, { name: 'revoke', state: 'done' }, { name: 'first-refresh', state: 'failed' }],
      ...Array(4).fill({ state: 'pending' }),
    ]);
    expect(failed.report?.warnings.join()).toContain('40164');
    expect(working()).toEqual(leaked);

    simulator.setAccount(SHOP.appid, { ipWhitelist: null });
    expect(await begin()).toMatchObject({ state: 'running', id });
    const done = await over();
    expect(done).toMatchObject({ state: 'done', id, tokens: [{ fingerprint: leaked[0] }, {}, {}] });
    expect(simulator.counters(SHOP.appid).stable.forced).toBe(2);
    expect(working()).toEqual([done.tokens[2]?.fingerprint]);
    expect(
      (await admin.listAudit({ app: 'shop', action: 'leak-drill', limit: 50 })).entries.some(
        ({ outcome, detail }) => outcome === '40164' && detail?.startsWith('first-refresh'),
      ),
    ).toBe(true);
  }, 60_000);

  it('asks again when the platform gives the same token, as it wants more time between', async () => {
    const { begin, over, simulator, token } = await openDrill();
    await token(READER_KEY);
    simulator.setAccount(SHOP.appid, { forceSpacingSeconds: 60 });
    await begin();
    const drill = await over();
    expect(drill).toMatchObject({ state: 'done', budget: { used: 3 } });
    expect(simulator.counters(SHOP.appid).stable).toMatchObject({ forced: 2, issued: 3, calls: 4 });
    expect(new Set(drill.tokens.map(({ fingerprint }) => fingerprint)).size).toBe(3);
  }, 60_000);

  it('warns when the platform still takes the token', async () => {
    const { begin, over, simulator, token } = await openDrill();
    const leaked = fingerprintOf(await token(READER_KEY));
    simulator.faults.add({ kind: 'garbage', path: '/cgi-bin/getcallbackip', body: '{"ip_list":[]}' });
    await begin();
    const drill = await over();
    expect(drill).toMatchObject({ state: 'done', tokens: [{ probe: 'taken' }, { probe: 'taken' }, {}] });
    expect(drill.report?.warnings[0]).toContain(`still took ${leaked}`);
  }, 60_000);

  it('goes on after a restart, and a second start joins it', async () => {
    const { running, begin, over, simulator, token, call } = await openDrill();
    await token(READER_KEY);
    const { id } = await begin();
    await expect.poll(() => simulator.counters(SHOP.appid).stable.forced).toBe(1);
    expect(await begin({ revokeCallerKeys: ['orders'] })).toMatchObject({ id, state: 'running' });
    expect(await call('/cgi-bin/getcallbackip')).toMatchObject({ status: 401 });
    await running.restart();
    expect(await call('/cgi-bin/getcallbackip')).toMatchObject({ status: 401 });
    const drill = await over();
    expect(drill).toMatchObject({
      id,
      state: 'done',
      revokedKeys: [{ caller: 'orders' }, { caller: 'orders' }],
    });
    expect(simulator.counters(SHOP.appid).stable).toMatchObject({ forced: 2, issued: 3 });
    expect((await begin()).id).not.toBe(id);
  }, 60_000);

  it('is for those who may: who else asks is refused before anything is done', async () => {
    const { client, begin, simulator, over, admin } = await openDrill({
      apps: [
        { name: 'shop', platform: 'weixin-mp', appid: SHOP.appid, secret: SHOP.secret },
        { name: 'news', platform: 'weixin-h5', appid: NEWS.appid, secret: NEWS.secret },
        { name: 'own', platform: 'weixin-mp', appid: 'wx00000000000000c3', managed: false },
        {
          name: 'site',
          platform: 'weixin-web',
          appid: 'wx00000000000000d4',
          secret: 'canary-of-the-site-0123',
        },
      ],
    });
    const operator = client({ callerKey: OPERATOR_KEY });
    expect(await refusalOf(client({ callerKey: READER_KEY }).startLeakDrill({ app: 'news' }))).toMatchObject({
      status: 403,
    });
    expect(await refusalOf(operator.startLeakDrill({ app: 'shop' }))).toMatchObject({ status: 403 });
    expect(
      await refusalOf(operator.startLeakDrill({ app: 'news', revokeCallerKeys: ['orders'] })),
    ).toMatchObject({ status: 403, message: expect.stringContaining('only an administrator') });
    for (const wrong of ['nobody', '0123456789abcdef', fingerprintOf(ADMIN_KEY)])
      expect(await refusalOf(begin({ revokeCallerKeys: [wrong] }))).toMatchObject({ status: 404 });
    expect(await refusalOf(begin({ app: 'own' }))).toMatchObject({
      message: expect.stringContaining('have your token server fetch two new ones'),
    });
    expect(await refusalOf(begin({ app: 'site' }))).toMatchObject({
      message: expect.stringContaining('there is nothing to refresh'),
    });
    expect(await refusalOf(begin({ app: 'unknown' }))).toMatchObject({ status: 404 });
    expect(simulator.counters(SHOP.appid).stable.forced).toBe(0);

    await operator.startLeakDrill({ app: 'news' });
    await over('news');
    const seen = await operator.getLeakDrill({ app: 'news', report: true });
    expect(seen).toMatchObject({
      state: 'done',
      startedBy: 'operator',
      report: { readers: null, bulk: null },
    });
    expect(
      await client({ callerKey: AUDITOR_KEY }).getLeakDrill({ app: 'news', report: true }),
    ).toMatchObject({ report: { readers: [], bulk: null } });
    expect((await admin.listAudit({ action: 'refused', app: 'shop' })).entries).toMatchObject([
      { actor: 'operator', detail: 'start' },
    ]);
  }, 60_000);

  it('says what the audit log no longer holds, and that all was carried out of the database', async () => {
    const { begin, database, running } = await openDrill();
    const { head, at } = { head: 'a'.repeat(64), at: Date.parse('2026-03-01T04:00:20Z') };
    database(
      `insert into open_bridge_audit_anchors (chain, number, hash, at) values ('69a3b9c0-0011223344556677', 7, '${head}', ${at})`,
    );
    database(
      `insert into open_bridge_audit (chain, number, previous, hash, at, action, actor, entry) values
       ('69a3b9c0-0011223344556677', 8, '${head}', '${head}', ${at - 5000}, 'export', 'command line', '{}'),
       ('69a3b9c0-0011223344556677', 9, '${head}', '${head}', ${at}, 'gap', null, '{}')`,
    );
    const since = (time: string) => begin({ rehearsal: true, since: `2026-03-01T${time}Z` });
    const { report } = await since('04:00:00');
    expect(report?.bulk).toEqual([
      { action: 'export', actor: 'command line', address: null, at: '2026-03-01T04:00:15.000Z' },
    ]);
    expect(report?.warnings).toEqual([
      expect.stringContaining('events were lost'),
      expect.stringContaining('entries before 2026-03-01T04:00:15.000Z were removed'),
    ]);
    expect((await since('04:00:21')).report).toMatchObject({ bulk: [], warnings: [] });
    expect(running.logs.join('')).not.toContain('canary');
  });
});
