import type { JsonObject } from '../answers.ts';
import { ok } from '../answers.ts';
import { type AccountApi, type AccountCall, need } from '../call.ts';
import { ApiError } from '../errors.ts';

/** Message ids begin here and count up, per account. */
const FIRST_MSGID = 3_000_000_000;

function nextId({ account }: AccountCall): number {
  account.data.serial += 1;
  return FIRST_MSGID + account.data.serial;
}

/** POST /cgi-bin/message/template/send, page sendTemplateMessage. */
const sendTemplate: AccountApi = call => {
  need(call.fields, 'touser', 40003);
  need(call.fields, 'template_id', 40037);
  return ok({ msgid: nextId(call) });
};

/** POST /cgi-bin/message/subscribe/send and …/bizsend, pages sendMessage and sendNewSubscribeMsg. */
const sendSubscribe: AccountApi = ({ fields }) => {
  need(fields, 'touser', 40003);
  need(fields, 'template_id', 40037);
  if (typeof fields['data'] !== 'object' || fields['data'] === null) throw new ApiError(47001);
  return ok();
};

/** POST /cgi-bin/message/custom/send, page sendCustomMessage: `msgtype` names the field with the message. */
const sendCustom: AccountApi = ({ fields }) => {
  need(fields, 'touser', 40003);
  const msgtype = need(fields, 'msgtype', 40008);
  if (typeof fields[msgtype] !== 'object' || fields[msgtype] === null) throw new ApiError(40008);
  return ok();
};

const typing: AccountApi = ({ fields }) => {
  need(fields, 'touser', 40003);
  return ok();
};

const mass: AccountApi = call => {
  need(call.fields, 'msgtype', 40008);
  return ok({ msg_id: nextId(call), msg_data_id: nextId(call) });
};

const fixed =
  (fields: JsonObject): AccountApi =>
  () =>
    ok(fields);

const addTemplate: AccountApi = call =>
  ok({ priTmplId: call.platform.derived.text(43, 'template', nextId(call)) });

export const messageApis: Record<string, AccountApi> = {
  '/cgi-bin/message/template/send': sendTemplate,
  '/cgi-bin/message/subscribe/send': sendSubscribe,
  '/cgi-bin/message/subscribe/bizsend': sendSubscribe,
  '/cgi-bin/message/custom/send': sendCustom,
  '/cgi-bin/message/custom/typing': typing,
  '/cgi-bin/message/mass/sendall': mass,
  '/cgi-bin/message/mass/send': mass,
  '/wxaapi/newtmpl/addtemplate': addTemplate,
  '/wxaapi/newtmpl/gettemplate': fixed({ data: [] }),
  '/wxaapi/newtmpl/getcategory': fixed({ data: [] }),
  '/wxaapi/newtmpl/getpubtemplatetitles': fixed({ count: 0, data: [] }),
  '/wxaapi/newtmpl/getpubtemplatekeywords': fixed({ count: 0, data: [] }),
  '/cgi-bin/template/get_all_private_template': fixed({ template_list: [] }),
  '/cgi-bin/customservice/getkflist': fixed({ kf_list: [] }),
  '/cgi-bin/customservice/getonlinekflist': fixed({ kf_online_list: [] }),
};
