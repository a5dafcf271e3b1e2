import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encryptOpenData } from './open-data.ts';

const IV = Buffer.from('0123456789abcdef');

function decrypt(sessionKey: string, encryptedData: string, iv: string): unknown {
  const key = Buffer.from(sessionKey, 'base64');
  const decipher = createDecipheriv('aes-128-cbc', key, Buffer.from(iv, 'base64'));
  return JSON.parse(decipher.update(encryptedData, 'base64', 'utf8') + decipher.final('utf8'));
}

test('the signature is that of the official example', () => {
  const raw = {
    nickName: 'Band',
    gender: 1,
    language: 'zh_CN',
    city: 'Guangzhou',
    province: 'Guangdong',
    country: 'CN',
    avatarUrl:
      'http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0',
  };
  const { signature, rawData } = encryptOpenData('HyVFkGl5F5OQWJZZaNzBBg==', IV, {}, raw);
  expect(signature).toBe('75e81ceda165f4ffa64f4068af58c64b8f54b88c');
  expect(JSON.parse(rawData)).toEqual(raw);
});

test('whoever has the key reads what was encrypted', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (key, data) => {
        const sessionKey = Buffer.from(key).toString('base64');
        const { encryptedData, iv } = encryptOpenData(sessionKey, IV, data, {});
        expect(decrypt(sessionKey, encryptedData, iv)).toEqual(JSON.parse(JSON.stringify(data)));
      },
    ),
  );
});
