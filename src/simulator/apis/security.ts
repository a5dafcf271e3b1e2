import { ok } from '../answers.ts';
import { type AccountApi, type AccountCall, need, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';
import { parseMultipart } from '../multipart.ts';

/** Text with this word is found risky, so that both outcomes can be tested. */
export const RISKY_WORD = 'risky';

const PASS_LABEL = 100;
const RISKY_LABEL = 20_001;

function traceId(call: AccountCall): string {
  const { account, platform } = call;
  account.data.serial += 1;
  const groups = platform.derived.hex(16, 'trace', account.appid, account.data.serial);
  return `${secondsOf(call).toString(16).padStart(8, '0')}-${groups.slice(0, 8)}-${groups.slice(8)}`;
}

function requireScene(fields: AccountCall['fields']): void {
  if (fields['version'] !== 2 && fields['version'] !== '2') throw new ApiError(47001);
  const scene = Number(fields['scene']);
  if (!Number.isInteger(scene) || scene < 1 || scene > 4) throw new ApiError(47001);
}

/** POST /wxa/msg_sec_check, page msgSecCheck, version 2. */
const msgSecCheck: AccountApi = call => {
  const { fields } = call;
  const content = need(fields, 'content', 47001);
  requireScene(fields);
  need(fields, 'openid', 40003);
  const isRisky = content.includes(RISKY_WORD);
  const result = { suggest: isRisky ? 'risky' : 'pass', label: isRisky ? RISKY_LABEL : PASS_LABEL };
  const detail = [{ strategy: 'content_model', errcode: 0, ...result, prob: 90 }];
  return ok({ result, detail, trace_id: traceId(call) });
};

/** POST /wxa/media_check_async, page mediaCheckAsync, version 2. */
const mediaCheckAsync: AccountApi = call => {
  const { fields } = call;
  need(fields, 'media_url', 47001);
  const type = Number(fields['media_type']);
  if (type !== 1 && type !== 2) throw new ApiError(47001);
  requireScene(fields);
  need(fields, 'openid', 40003);
  return ok({ trace_id: traceId(call) });
};

/** POST /wxa/img_sec_check, page imgSecCheck: a multipart form with one file. */
const imgSecCheck: AccountApi = ({ contentType, body }) => {
  const file = parseMultipart(contentType, body)?.find(part => part.filename !== undefined);
  if (file === undefined || file.body.length === 0) throw new ApiError(41005);
  if (file.filename?.includes(RISKY_WORD)) throw new ApiError(87014);
  return ok();
};

const getUserRiskRank: AccountApi = call => {
  need(call.fields, 'openid', 40003);
  return ok({ risk_rank: 0, unoin_id: secondsOf(call) });
};

export const securityApis: Record<string, AccountApi> = {
  '/wxa/msg_sec_check': msgSecCheck,
  '/wxa/media_check_async': mediaCheckAsync,
  '/wxa/img_sec_check': imgSecCheck,
  '/wxa/getuserriskrank': getUserRiskRank,
};
