import { ok, plain } from '../answers.ts';
import type { AccountApi } from '../call.ts';
import { ApiError } from '../errors.ts';

/** Top-level buttons a menu may have. */
const MAX_BUTTONS = 3;

/** The first menuid; they count up per account. */
const FIRST_MENUID = 400_000_000;

function requireButtons(buttons: unknown): void {
  if (!Array.isArray(buttons) || buttons.length === 0 || buttons.length > MAX_BUTTONS)
    throw new ApiError(40016);
}

/** POST /cgi-bin/menu/create, page createCustomMenu. */
const create: AccountApi = ({ account, fields }) => {
  requireButtons(fields['button']);
  account.data.menu = { button: fields['button'] };
  return ok();
};

/** GET /cgi-bin/menu/get, page getMenu; no errcode on success. */
const get: AccountApi = ({ account }) => {
  const { menu, conditionalMenus } = account.data;
  if (menu === undefined) throw new ApiError(46003);
  const conditionalmenu = [...conditionalMenus].map(([menuid, fields]) => ({ ...fields, menuid }));
  return plain({ menu, ...(conditionalmenu.length === 0 ? {} : { conditionalmenu }) });
};

/** GET /cgi-bin/menu/delete, page deleteMenu: the conditional menus go as well. */
const remove: AccountApi = ({ account }) => {
  account.data.menu = undefined;
  account.data.conditionalMenus.clear();
  return ok();
};

/** GET /cgi-bin/get_current_selfmenu_info, page getCurrentSelfmenuInfo. */
const current: AccountApi = ({ account }) => {
  const { menu } = account.data;
  return plain(menu === undefined ? { is_menu_open: 0 } : { is_menu_open: 1, selfmenu_info: menu });
};

/** POST /cgi-bin/menu/addconditional, page addConditionalMenu. */
const addConditional: AccountApi = ({ account, fields }) => {
  requireButtons(fields['button']);
  account.data.serial += 1;
  const menuid = FIRST_MENUID + account.data.serial;
  account.data.conditionalMenus.set(menuid, fields);
  return plain({ menuid: String(menuid) });
};

/** POST /cgi-bin/menu/delconditional, page deleteConditionalMenu. */
const removeConditional: AccountApi = ({ account, fields }) => {
  account.data.conditionalMenus.delete(Number(fields['menuid']));
  return ok();
};

const tryMatch: AccountApi = ({ account }) => {
  if (account.data.menu === undefined) throw new ApiError(46003);
  return plain(account.data.menu);
};

export const menuApis: Record<string, AccountApi> = {
  '/cgi-bin/menu/create': create,
  '/cgi-bin/menu/get': get,
  '/cgi-bin/menu/delete': remove,
  '/cgi-bin/get_current_selfmenu_info': current,
  '/cgi-bin/menu/addconditional': addConditional,
  '/cgi-bin/menu/delconditional': removeConditional,
  '/cgi-bin/menu/trymatch': tryMatch,
};
