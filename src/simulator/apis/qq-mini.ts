import { type Answer, ok, plain } from '../answers.ts';
import { type AccountApi, need } from '../call.ts';
import { ApiError } from '../errors.ts';
import { RISKY_WORD } from './security.ts';

/** POST /api/json/security/MsgSecCheck of QQ: it spells errCode and errMsg in its own way. */
const msgSecCheck: AccountApi = ({ account, fields }): Answer => {
  if (fields['appid'] !== account.appid) throw new ApiError(40013);
  const isRisky = need(fields, 'content', 47001).includes(RISKY_WORD);
  if (!isRisky) return plain({ errCode: 0, errMsg: 'ok' });
  return { ...plain({ errCode: 87014, errMsg: 'risky content' }), errcode: 87014 };
};

/** POST /api/json/subscribe/SendSubscriptionMessage of QQ. */
const sendSubscriptionMessage: AccountApi = ({ fields }) => {
  need(fields, 'touser', 40003);
  need(fields, 'template_id', 40037);
  return ok();
};

export const qqMiniApis: Record<string, AccountApi> = {
  '/api/json/security/MsgSecCheck': msgSecCheck,
  '/api/json/subscribe/SendSubscriptionMessage': sendSubscriptionMessage,
};
