/**
 * The functions of uni-open-bridge-common, over a bridge in this process or elsewhere. The functions of
 * this module share one bridge, which is opened when one of them is first called; `createBridge` and
 * `connectBridge` make further ones.
 *
 * @module
 * @example
 * const { getAccessToken } = require('open-bridge/common');
 * const { access_token } = await getAccessToken({ dcloudAppid: '__UNI__SHOP01', platform: 'weixin-mp' });
 */
import { systemClock } from '../base/clock.ts';
import { createSecureHeaders } from './secure-headers.ts';
import { createShared, openConfigured } from './shared.ts';

export type { Clock } from '../base/clock.ts';
export type { ErrorCode } from '../base/errors.ts';
export type { Log } from '../base/log.ts';
export type { ValueObject } from '../credentials/credentials.ts';
export { connectBridge, createBridge } from './bridge.ts';
export { ErrorCodeType, type FailureReason, OpenBridgeError } from './errors.ts';
export type { Fallback, FallbackResult, ResolvedKey } from './fallback.ts';
export type {
  AccessTokenValue,
  DetailOf,
  EncryptKeyValue,
  GetFunction,
  GetOptions,
  OpenBridge,
  RemoveFunction,
  SessionKeyValue,
  SetFunction,
  TicketValue,
  UpdateFunction,
} from './functions.ts';
export type { CredentialKey } from './key.ts';
export { PlatformType, ProviderType } from './provider-type.ts';
export type { S2sConfig, SecureHeaderOptions } from './secure-headers.ts';
export type { BridgeOptions, EmbeddedOptions, RemoteOptions } from './target.ts';

/** The one bridge of this process that the functions below share: the library they stand in for works so. */
const shared = createShared(openConfigured);

/** Says where the bridge is, before the first of the functions below is called. Throws TypeError afterwards. */
export const configureBridge = shared.configure;

/** Headers that prove a request by uni-cloud-s2s, for a client of its own making. */
export const getSecureHeaders = createSecureHeaders(() => systemClock.now());

/** Closes the bridge that the functions below share; the next call opens it again. */
export const closeBridge = shared.close;

export const {
  getAccessToken,
  setAccessToken,
  removeAccessToken,
  updateAccessToken,
  getUserAccessToken,
  setUserAccessToken,
  removeUserAccessToken,
  getSessionKey,
  setSessionKey,
  removeSessionKey,
  getEncryptKey,
  setEncryptKey,
  removeEncryptKey,
  updateEncryptKey,
  getTicket,
  setTicket,
  removeTicket,
  updateTicket,
} = shared;
