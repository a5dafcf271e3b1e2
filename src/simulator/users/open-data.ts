import { createCipheriv, createHash } from 'node:crypto';
import type { JsonObject } from '../answers.ts';

/** What wx.getUserInfo and its like give a mini program. */
export interface OpenData {
  /** AES-128-CBC with PKCS#7 padding under the session_key, in base64. */
  encryptedData: string;
  /** 16 bytes in base64. */
  iv: string;
  /** The part of the data that is no secret, as JSON text. */
  rawData: string;
  /** Hex SHA-1 of rawData followed by the session_key's text. */
  signature: string;
}

/**
 * Encrypts data as the platform does for a mini program (page "open data: verification and decryption").
 * @param iv 16 bytes
 * @param sessionKey 16 bytes in base64
 * @param data what is encrypted; it should have a watermark
 * @param raw what is signed and sent in clear
 */
export function encryptOpenData(sessionKey: string, iv: Buffer, data: JsonObject, raw: JsonObject): OpenData {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv);
  const encrypted = Buffer.concat([cipher.update(JSON.stringify(data)), cipher.final()]);
  const rawData = JSON.stringify(raw);
  return {
    encryptedData: encrypted.toString('base64'),
    iv: iv.toString('base64'),
    rawData,
    signature: createHash('sha1')
      .update(rawData + sessionKey)
      .digest('hex'),
  };
}
