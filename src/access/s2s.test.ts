import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { Secret } from '../base/secret.ts';
import { createS2sSigner, hasS2sHeaders, type S2sSettings, signS2s, verifyS2s } from './s2s.ts';
import { S2S_HASHES, type S2sData, type S2sHash } from './s2s-payload.ts';
import { replaysInMemory } from './s2s-replays.fixture.ts';
import type { ReplayGuard } from './s2s-replays.ts';
import type { S2sRequest } from './s2s-request.ts';

const SIGN_KEY = 'q0etb3cl0s8mrlfdqp33ist1ou0r97pg';
const NOW = 1_700_000_000_000;
const TOLERANCE_MS = 60_000;
const DATA = { dcloudAppid: '__UNI__ABC1234', platform: 'weixin-mp' };

type SignSettings = Extract<S2sSettings, { readonly type: 'sign' }>;

function signing(change: Partial<SignSettings> = {}): SignSettings {
  return {
    type: 'sign',
    signKey: new Secret(SIGN_KEY),
    hashMethod: 'hmac-sha256',
    quirks: [],
    toleranceMs: TOLERANCE_MS,
    ...change,
  };
}

const connecting: S2sSettings = { type: 'connectCode', connectCode: new Secret('connect-code-0123456789') };

/** Remembers nothing, for what is not about replays. */
const forgetful: ReplayGuard = { firstUse: async () => true };

function post(headers: S2sRequest['headers'], body: unknown = DATA, now = NOW): S2sRequest {
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, now };
}

function signed(data: S2sData = DATA, settings: S2sSettings = signing(), now = NOW): S2sRequest {
  return post(signS2s(settings, { data, now }), data, now);
}

async function refusalOf(settings: S2sSettings, request: S2sRequest, replays = forgetful) {
  const error: unknown = await verifyS2s(settings, request, replays).then(
    () => undefined,
    reason => reason,
  );
  expect(error).toMatchObject({ code: 'CALLER_UNKNOWN', message: expect.stringContaining('(51000)') });
  expect(error).toHaveProperty('hint', expect.stringMatching(/./));
  return error as { readonly message: string; readonly hint: string };
}

describe('signatures', () => {
  test.each(S2S_HASHES)('what is signed with %s is accepted', async hashMethod => {
    const settings = signing({ hashMethod });
    await verifyS2s(settings, signed(DATA, settings), forgetful);
  });

  test('the headers are those of the documented example', () => {
    expect(signS2s(signing(), { data: { b: 2, a: 1, arr: [1] }, now: 1_677_743_381_925 })).toEqual({
      'Unicloud-S2s-Timestamp': '1677743381925',
      'Unicloud-S2s-Signature': `hmac-sha256 5c02499d2c45876ceb60635311f2368f672964f0555c08d05d76cb6361d92dd4`,
    });
  });

  test.each([
    ['upper case', (name: string) => name.toUpperCase()],
    ['lower case', (name: string) => name.toLowerCase()],
  ])('header names may be in %s', async (_, change) => {
    const headers = Object.entries(signS2s(signing(), { data: DATA, now: NOW }));
    const request = post(Object.fromEntries(headers.map(([name, value]) => [change(name), value])));
    await verifyS2s(signing(), request, forgetful);
  });

  test('values of the top level change the signature, others do not', async () => {
    const { headers } = signed({ ...DATA, value: { access_token: 'T' } });
    await verifyS2s(signing(), { ...post(headers), body: { ...DATA, value: { other: 1 } } }, forgetful);
    const { message } = await refusalOf(signing(), post(headers, { ...DATA, platform: 'weixin-h5' }));
    expect(message).toContain('does not fit the parameters');
  });

  test('another key is refused, and the right signature is never shown', async () => {
    const request = signed(DATA, signing({ signKey: new Secret('another-key-another-key-another!') }));
    const { headers } = signed();
    const right = String(headers['Unicloud-S2s-Signature']).split(' ')[1] ?? '';
    const error = await refusalOf(signing(), request);
    expect(error.hint).toContain('signKey');
    expect(everythingAbout(error)).not.toContain(right);
    expect(everythingAbout(error)).not.toContain(SIGN_KEY);
  });

  test.each([
    ['without the algorithm', (digest: string) => digest, 'is not well-formed'],
    ['in upper case', (digest: string) => `hmac-sha256 ${digest.toUpperCase()}`, 'does not fit'],
    ['with two spaces', (digest: string) => `hmac-sha256  ${digest}`, 'is not well-formed'],
    ['with more behind it', (digest: string) => `hmac-sha256 ${digest} x`, 'is not well-formed'],
    ['cut short', (digest: string) => `hmac-sha256 ${digest.slice(0, -1)}`, 'does not fit'],
    ['empty', () => 'hmac-sha256 ', 'does not fit'],
    ['under another name', (digest: string) => `sha1 ${digest}`, 'signed with "sha1", and s2s.hashMethod is'],
    ['under the name in capitals', (digest: string) => `HMAC-SHA256 ${digest}`, 'signed with "HMAC-SHA256"'],
  ])('a digest %s is refused', async (_, change, message) => {
    const { headers } = signed();
    const digest = String(headers['Unicloud-S2s-Signature']).split(' ')[1] ?? '';
    const error = await refusalOf(signing(), post({ ...headers, 'Unicloud-S2s-Signature': change(digest) }));
    expect(error.message).toContain(message);
  });

  test.each<[S2sHash, S2sHash]>([
    ['md5', 'sha1'],
    ['hmac-sha256', 'sha256'],
  ])('a request signed with %s is not taken where %s is configured', async (sent, configured) => {
    const error = await refusalOf(
      signing({ hashMethod: configured }),
      signed(DATA, signing({ hashMethod: sent })),
    );
    expect(error.message).toContain(configured);
    expect(error.hint).toContain('hashMethod');
  });

  test.each(['Unicloud-S2s-Timestamp', 'Unicloud-S2s-Signature'])(
    'a request without %s is refused',
    async name => {
      const { headers } = signed();
      const error = await refusalOf(signing(), post({ ...headers, [name]: undefined }));
      expect(error.message).toContain(`${name} is missing`);
      expect(error.hint).toContain(name);
    },
  );

  test('a header sent twice proves nothing', async () => {
    const { headers } = signed();
    const digest = String(headers['Unicloud-S2s-Signature']);
    for (const twice of [
      { ...headers, 'Unicloud-S2s-Signature': [digest, digest] },
      { ...headers, 'unicloud-s2s-signature': digest },
    ]) {
      expect((await refusalOf(signing(), post(twice))).message).toContain('more than once');
    }
  });
});

describe('time', () => {
  test.each([0, 1, -1, TOLERANCE_MS, -TOLERANCE_MS])('a clock %i ms off is fine', async offset => {
    await verifyS2s(signing(), { ...signed(DATA, signing(), NOW + offset), now: NOW }, forgetful);
  });

  test.each([
    [TOLERANCE_MS + 1, '60 s ahead of the clock here; 60 s are allowed'],
    [-TOLERANCE_MS - 1, '60 s behind the clock here'],
    [3_600_000, '3600 s ahead of'],
    [-123_456, '123 s behind'],
  ])('a clock %i ms off is too far', async (offset, message) => {
    const error = await refusalOf(signing(), { ...signed(DATA, signing(), NOW + offset), now: NOW });
    expect(error.message).toContain(message);
    expect(error.hint).toContain('s2s.timeDiffTolerance');
  });

  test('the tolerance is the configured one', async () => {
    const settings = signing({ toleranceMs: 5000 });
    await verifyS2s(settings, { ...signed(DATA, settings, NOW - 5000), now: NOW }, forgetful);
    const { message } = await refusalOf(settings, { ...signed(DATA, settings, NOW - 5001), now: NOW });
    expect(message).toContain('5 s are allowed');
  });

  test('seconds in the place of milliseconds are recognized', async () => {
    const request = signed(DATA, signing(), NOW / 1000);
    expect((await refusalOf(signing(), { ...request, now: NOW })).hint).toContain('milliseconds');
  });

  test.each(['', 'now', '1e12', '-1700000000000', '1700000000000.5', ' 1700000000000', '9'.repeat(17)])(
    'the timestamp %j is none',
    async timestamp => {
      const { headers } = signed();
      const error = await refusalOf(signing(), post({ ...headers, 'Unicloud-S2s-Timestamp': timestamp }));
      expect(error.message).toContain('is not well-formed');
    },
  );
});

describe('parameters', () => {
  const query = { a: '1', b: 'ä ö' };

  test('of a GET are those of the query', async () => {
    const headers = signS2s(signing(), { data: query, now: NOW });
    await verifyS2s(signing(), { method: 'get', headers, query, body: 'x', now: NOW }, forgetful);
    await refusalOf(signing(), { method: 'GET', headers, query: { ...query, c: '' }, now: NOW });
  });

  test('of a form are those of its body, parsed or raw', async () => {
    const headers = {
      ...signS2s(signing(), { data: query, now: NOW }),
      'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8',
    };
    const raw = new URLSearchParams(query).toString();
    for (const body of [query, raw, Buffer.from(raw)]) {
      await verifyS2s(signing(), { method: 'POST', headers, body, query: { x: '1' }, now: NOW }, forgetful);
    }
  });

  test('of JSON are those of its body, parsed or raw', async () => {
    const { headers } = signed();
    const raw = JSON.stringify({ ...DATA, value: { a: 1 } });
    for (const body of [DATA, raw, Buffer.from(raw)])
      await verifyS2s(signing(), post(headers, body), forgetful);
  });

  test.each([undefined, null, '', Buffer.alloc(0), {}, '{}'])('there may be none: %j', async body => {
    const headers = signS2s(signing(), { data: {}, now: NOW });
    await verifyS2s(signing(), { ...post(headers), body }, forgetful);
  });

  test.each([
    ['a list', '[1]', 'is not an object'],
    ['null', 'null', 'is not an object'],
    ['a word', '"x"', 'is not an object'],
    ['no JSON', '{', 'is not JSON'],
    ['a list, parsed', [1], 'is not an object'],
    ['a number, parsed', 5, 'is not an object'],
  ])('a body that is %s is refused', async (_, body, message) => {
    const request = post(signS2s(signing(), { data: {}, now: NOW }), body);
    expect((await refusalOf(signing(), request)).message).toContain(message);
  });

  test.each([
    ['text', { method: 'POST', headers: { 'content-type': 'text/plain' } }],
    ['of unknown type', { method: 'POST', headers: { 'content-type': undefined } }],
    ['a PUT', { method: 'PUT' }],
    ['a HEAD', { method: 'HEAD' }],
  ])('a request that is %s cannot be signed', async (_, { method, headers }: Partial<S2sRequest>) => {
    const request = signed();
    const changed = { ...request, method: method ?? '', headers: { ...request.headers, ...headers } };
    expect((await refusalOf(signing(), changed)).message).toContain('can');
  });

  test('a parameter given twice is refused, in a query and in a form', async () => {
    const headers = signS2s(signing(), { data: { a: '1' }, now: NOW });
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
    for (const request of [
      { method: 'GET', headers, query: { a: '1', b: ['1', '2'] } },
      { method: 'POST', headers: form, body: 'a=1&b=1&b=2' },
    ]) {
      expect((await refusalOf(signing(), { ...request, now: NOW })).message).toContain('"b" is given more');
    }
  });
});

test('whatever is signed and sent as JSON is accepted, and no other parameters are', async () => {
  const value = fc.oneof(fc.jsonValue(), fc.date({ noInvalidDate: true }), fc.constant(undefined));
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.string(), value),
      fc.constantFrom(...S2S_HASHES),
      fc.stringMatching(/^[a-z]{1,8}$/),
      async (data, hashMethod, extra) => {
        const settings = signing({ hashMethod });
        const { headers } = signed(data, settings);
        await verifyS2s(settings, post(headers, JSON.stringify(data)), forgetful);
        fc.pre(!Object.hasOwn(data, extra));
        await refusalOf(settings, post(headers, JSON.stringify({ ...data, [extra]: 1 })));
      },
    ),
    { numRuns: 200 },
  );
});

test('no request, however odd, does anything but pass or be refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        method: fc.oneof(fc.constantFrom('GET', 'POST'), fc.string()),
        headers: fc.record({
          'Unicloud-S2s-Timestamp': fc.oneof(fc.constant(String(NOW)), fc.string(), fc.constant(undefined)),
          'Unicloud-S2s-Signature': fc.oneof(fc.string(), fc.constant('hmac-sha256 00')),
          'Content-Type': fc.oneof(fc.constant('application/json'), fc.string()),
        }),
        body: fc.oneof(fc.anything(), fc.json()),
        now: fc.constant(NOW),
      }),
      async request => void (await refusalOf(signing(), request)),
    ),
  );
});

describe('sha256 that is MD5', () => {
  const md5: S2sHash = 'md5';
  const asPluginSends = (): S2sRequest => {
    const { headers } = signed(DATA, signing({ hashMethod: md5 }));
    const digest = String(headers['Unicloud-S2s-Signature']).split(' ')[1];
    return post({ ...headers, 'Unicloud-S2s-Signature': `sha256 ${digest}` });
  };

  test('is refused with the way out named', async () => {
    const error = await refusalOf(signing({ hashMethod: 'sha256' }), asPluginSends());
    expect(error.hint).toContain('"sha256-is-md5"');
  });

  test('is accepted when switched on, beside true sha256', async () => {
    const settings = signing({ hashMethod: 'sha256', quirks: ['sha256-is-md5'] });
    await verifyS2s(settings, asPluginSends(), forgetful);
    await verifyS2s(settings, signed(DATA, signing({ hashMethod: 'sha256' })), forgetful);
  });

  test('concerns sha256 alone', async () => {
    const settings = signing({ quirks: ['sha256-is-md5'] });
    const { headers } = signed(DATA, signing({ hashMethod: md5 }));
    const digest = String(headers['Unicloud-S2s-Signature']).split(' ')[1];
    await refusalOf(settings, post({ ...headers, 'Unicloud-S2s-Signature': `hmac-sha256 ${digest}` }));
  });

  test('is what a client with the quirk sends', () => {
    const settings = signing({ hashMethod: 'sha256', quirks: ['sha256-is-md5'] });
    const sent = signS2s(settings, { data: { b: 2, a: 1 }, now: 1_677_743_381_925 });
    expect(sent['Unicloud-S2s-Signature']).toBe('sha256 47935a0283e141644aa5045cdfa51d83');
  });
});

describe('replays', () => {
  test('a signature is good once within its time', async () => {
    let now = NOW;
    const replays = replaysInMemory(() => now);
    const request = signed();
    await verifyS2s(signing(), request, replays);
    for (const later of [0, 1000, TOLERANCE_MS]) {
      now = NOW + later;
      const error = await refusalOf(signing(), { ...request, now }, replays);
      expect(error.message).toContain('used before');
      expect(error.hint).toContain('nonce');
    }
    now = NOW + TOLERANCE_MS + 1;
    expect((await refusalOf(signing(), { ...request, now }, replays)).message).toContain('behind the clock');
  });

  test('of a request sent many times at once one passes', async () => {
    const replays = replaysInMemory(() => NOW);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => verifyS2s(signing(), signed(), replays)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('a signature from a clock that is ahead is remembered until it is over here', async () => {
    const used: [string, number][] = [];
    const replays: ReplayGuard = {
      async firstUse(id, untilMs) {
        used.push([id, untilMs]);
        return true;
      },
    };
    await verifyS2s(signing(), { ...signed(DATA, signing(), NOW + 30_000), now: NOW }, replays);
    expect(used).toEqual([[expect.stringMatching(/^s2s:[0-9a-f]{64}$/), NOW + 30_000 + TOLERANCE_MS]]);
  });

  test('what is refused is not remembered', async () => {
    const replays: ReplayGuard = {
      firstUse() {
        throw new Error('was asked');
      },
    };
    await refusalOf(signing(), post({ ...signed().headers }, { ...DATA, more: 1 }), replays);
  });
});

describe('connect codes', () => {
  test.each(['CONNECTCODE', 'connectcode', 'ConnectCode'])(
    'a request with the code passes (%s)',
    async scheme => {
      const headers = { 'unicloud-s2s-authorization': `${scheme} connect-code-0123456789` };
      await verifyS2s(connecting, { method: 'DELETE', headers, now: NOW }, forgetful);
    },
  );

  test('what a client sends is that', () => {
    expect(signS2s(connecting, { data: DATA, now: NOW })).toEqual({
      'Unicloud-S2s-Authorization': 'CONNECTCODE connect-code-0123456789',
    });
  });

  test.each([
    [undefined, 'is missing'],
    ['connect-code-0123456789', 'is not well-formed'],
    ['CONNECTCODE', 'is not well-formed'],
    ['CONNECTCODE  connect-code-0123456789', 'is not well-formed'],
    ['CONNECTCODE connect-code-0123456789 ', 'is not well-formed'],
    ['Bearer connect-code-0123456789', 'is not well-formed'],
    ['CONNECTCODE ', 'is not the configured one'],
    ['CONNECTCODE CONNECT-CODE-0123456789', 'is not the configured one'],
  ])('the header %j is refused', async (value, message) => {
    const error = await refusalOf(connecting, post({ 'Unicloud-S2s-Authorization': value }));
    expect(error.message).toContain(message);
    expect(everythingAbout(error)).not.toContain('connect-code-0123456789');
  });

  test('a signed request is told that a code is wanted, and the other way round', async () => {
    expect((await refusalOf(connecting, signed())).message).toContain('s2s.type is connectCode');
    const coded = post(signS2s(connecting, { data: DATA, now: NOW }));
    expect((await refusalOf(signing(), coded)).message).toContain('s2s.type is sign');
  });
});

test('a request that means to prove itself is told by any of the headers', () => {
  expect(hasS2sHeaders({ 'UNICLOUD-S2S-SIGNATURE': 'x' })).toBe(true);
  expect(hasS2sHeaders({ 'unicloud-s2s-timestamp': '' })).toBe(true);
  expect(hasS2sHeaders({ 'Unicloud-S2s-Authorization': ['x'] })).toBe(true);
  expect(hasS2sHeaders({ 'unicloud-s2s-authorization': undefined, authorization: 'x' })).toBe(false);
});

describe('a signer', () => {
  const timesOf = (times: readonly number[]): readonly number[] => {
    let turn = 0;
    const sign = createS2sSigner(signing(), () => times[turn++] ?? 0);
    return times.map(() => Number(sign(DATA)['Unicloud-S2s-Timestamp']));
  };

  test('signs equal requests of one moment differently', () => {
    expect(timesOf([NOW, NOW, NOW + 0.5, NOW + 10])).toEqual([NOW, NOW + 1, NOW + 2, NOW + 10]);
  });

  test('is never more than 10 s ahead of its clock', () => {
    const signedAt = timesOf(Array.from({ length: 10_010 }, () => NOW));
    expect(Math.max(...signedAt)).toBe(NOW + 10_000);
  });

  test('believes a clock that is set back', () => {
    expect(timesOf([NOW, NOW - 3_600_000])).toEqual([NOW, NOW - 3_600_000]);
  });

  test('has all of a burst accepted', async () => {
    const replays = replaysInMemory(() => NOW);
    const sign = createS2sSigner(signing(), () => NOW);
    for (let count = 0; count < 100; count += 1) await verifyS2s(signing(), post(sign(DATA)), replays);
  });
});
