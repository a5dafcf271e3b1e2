import { describe, expect, it } from 'vitest';
import { appOf, MP, OA } from '../../test/support/world.ts';
import { Secret } from '../base/secret.ts';
import type { UpstreamRequest } from '../platforms/platform.ts';
import { createPhoneNumbers } from './phone-number.ts';

const INFO = {
  phoneNumber: '+1 2025550123',
  purePhoneNumber: '2025550123',
  countryCode: '1',
  watermark: { timestamp: 1477314187, appid: MP },
};

/** Phone numbers of a platform that answers this. */
function answering(body: Readonly<Record<string, unknown>>) {
  const sent: UpstreamRequest[] = [];
  const phoneNumbers = createPhoneNumbers({
    async callPlatform(_app, build) {
      sent.push(build(new Secret('token-of-the-app')));
      return { ok: true, body };
    },
  });
  return { ...phoneNumbers, sent };
}

describe('the phone number behind a code', () => {
  it('is what the platform says, word for word', async () => {
    const { get, sent } = answering({ errcode: 0, errmsg: 'ok', phone_info: INFO });
    expect(await get(appOf(MP), 'the-code')).toEqual(INFO);
    expect(sent).toEqual([
      {
        method: 'POST',
        path: '/wxa/business/getuserphonenumber',
        query: { access_token: 'token-of-the-app' },
        json: { code: 'the-code' },
      },
    ]);
  });

  it.each([
    ['phone_info', {}],
    ['phone_info', { phone_info: 'text' }],
    ['phoneNumber', { phone_info: { ...INFO, phoneNumber: undefined } }],
    ['countryCode', { phone_info: { ...INFO, countryCode: 86 } }],
  ])('is never made up when the answer has no %s', async (field, body) => {
    await expect(answering(body).get(appOf(MP), 'the-code')).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: expect.stringContaining(field),
    });
  });

  it('is not asked for on a platform that has no such codes', async () => {
    const { get, sent } = answering({ phone_info: INFO });
    await expect(get(appOf(OA), 'the-code')).rejects.toMatchObject({ code: 'CREDENTIAL_UNSUPPORTED' });
    expect(sent).toEqual([]);
  });
});
