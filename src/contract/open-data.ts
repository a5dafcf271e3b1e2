import { z } from 'zod';
import { sessionAge, sessionSelector } from './sessions.ts';

/** Far above what any API of the platform gives, a month of step counts included. */
const MAX_DATA = 256 * 1024;

/** Encrypted data as a mini program got it from the platform. */
export const encryptedOpenData = sessionSelector
  .extend({
    encryptedData: z.string().min(1).max(MAX_DATA).describe('base64, as the mini program got it'),
    iv: z.string().min(1).max(64).describe('base64, as the mini program got it'),
  })
  .meta({ id: 'EncryptedOpenData' });

export const openData = z
  .object({
    data: z
      .record(z.string(), z.unknown())
      .describe('what was encrypted; its watermark has been checked to name the app'),
    session: sessionAge,
  })
  .meta({ id: 'OpenData' });

/** Plain data with the signature the platform gave the mini program beside it. */
export const signedRawData = sessionSelector
  .extend({
    rawData: z.string().max(MAX_DATA).describe('character for character as the mini program got it'),
    signature: z.string().min(1).max(128).describe('hex SHA-1, as the mini program got it'),
  })
  .meta({ id: 'SignedRawData' });

export const rawDataVerdict = z
  .object({
    valid: z.boolean().describe('whether rawData is what the platform gave this very user'),
    session: sessionAge.nullable().describe('null when it is not valid'),
  })
  .meta({ id: 'RawDataVerdict' });
