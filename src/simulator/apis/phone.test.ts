import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Harness, MP, START, startHarness } from '../simulator.fixture.ts';

let h: Harness;
let mp: string;
beforeEach(async () => {
  h = await startHarness();
  mp = `access_token=${await h.token(MP)}`;
});
afterEach(() => h.simulator.close());

const phone = async (code: string) => (await h.post(`/wxa/business/getuserphonenumber?${mp}`, { code })).json;

test('any text is a code: one-shot', async () => {
  expect(await phone('c')).toMatchObject({
    phone_info: { phoneNumber: expect.stringMatching(/^1380000\d{4}$/), watermark: { appid: MP.appid } },
  });
  expect((await phone('c'))['errcode']).toBe(40029);
  expect((await phone('invalid'))['errcode']).toBe(40029);
  expect((await phone(''))['errcode']).toBe(40029);
});

test('a code that was issued gives its user’s number once', async () => {
  const { code } = h.simulator.users.code(MP.appid, {
    openid: 'oX',
    use: 'phone',
    phoneNumber: '13912345678',
  });
  expect(await phone(code)).toEqual({
    errcode: 0,
    errmsg: 'ok',
    phone_info: {
      phoneNumber: '13912345678',
      purePhoneNumber: '13912345678',
      countryCode: '86',
      watermark: { timestamp: START / 1000, appid: MP.appid },
    },
  });
  expect((await phone(code))['errcode']).toBe(40029);
});

test('it is good for five minutes', async () => {
  const { code } = h.simulator.users.code(MP.appid, { user: 'alice', use: 'phone' });
  h.simulator.clock.advance(300_000);
  expect((await phone(code))['errcode']).toBe(40029);
});

test('a login code is none: with issued codes alone, 40029', async () => {
  h.simulator.setAccount(MP.appid, { users: { codes: 'issued' } });
  const { code } = h.simulator.users.code(MP.appid, { user: 'alice' });
  expect((await phone(code))['errcode']).toBe(40029);
});

test('a user has one number in all apps, and a login code of the same text is not spent', async () => {
  const numberOf = async (code: string) => Object(await phone(code))['phone_info'].phoneNumber;
  expect(await numberOf('alice:1')).toBe(await numberOf('alice:2'));
  const query = `appid=${MP.appid}&secret=${MP.secret}&js_code=alice:1&grant_type=authorization_code`;
  expect((await h.get(`/sns/jscode2session?${query}`)).json['openid']).toBeDefined();
});
