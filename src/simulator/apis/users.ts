import { type JsonObject, ok, plain } from '../answers.ts';
import { type AccountApi, type AccountCall, need, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';

/** Followers every official account has. */
const FOLLOWERS = 3;

/** The first id of a tag that an account makes itself; lower ones are the system's. */
const FIRST_TAG_ID = 100;

const MAX_TAG_NAME = 30;

function followersOf({ account, platform }: AccountCall): string[] {
  return Array.from({ length: FOLLOWERS }, (_, i) => platform.derived.openid(account.appid, 'follower', i));
}

function userOf(call: AccountCall, openid: string): JsonObject {
  return {
    subscribe: followersOf(call).includes(openid) ? 1 : 0,
    openid,
    language: 'zh_CN',
    subscribe_time: secondsOf(call) - 86_400,
    remark: '',
    groupid: 0,
    tagid_list: [],
    subscribe_scene: 'ADD_SCENE_SEARCH',
    qr_scene: 0,
    qr_scene_str: '',
  };
}

/** GET /cgi-bin/user/get, page getFans: those after `next_openid`. */
const getFans: AccountApi = call => {
  const all = followersOf(call);
  const after = call.query.get('next_openid') ?? '';
  const openid = after === '' ? all : all.slice(all.indexOf(after) + 1);
  return plain({
    total: all.length,
    count: openid.length,
    data: { openid },
    next_openid: openid.at(-1) ?? '',
  });
};

/** GET /cgi-bin/user/info, page userInfo. */
const userInfo: AccountApi = call => {
  const openid = call.query.get('openid');
  if (!openid) throw new ApiError(40003);
  return plain(userOf(call, openid));
};

/** POST /cgi-bin/user/info/batchget, page batchUserInfo. */
const batchUserInfo: AccountApi = call => {
  const list = call.fields['user_list'];
  if (!Array.isArray(list)) throw new ApiError(47001);
  return plain({ user_info_list: list.map(user => userOf(call, need(Object(user), 'openid', 40003))) });
};

function tagName(fields: JsonObject): string {
  const name = need(Object(fields['tag']), 'name', 45157);
  if (name.length > MAX_TAG_NAME) throw new ApiError(45157);
  return name;
}

function tagOf({ account, fields }: AccountCall) {
  const tag = account.data.tags.get(Number(Object(fields['tag'])['id']));
  if (tag === undefined) throw new ApiError(45058);
  return tag;
}

/** POST /cgi-bin/tags/create, page createTag; no errcode on success. */
const createTag: AccountApi = ({ account, fields }) => {
  const { tags } = account.data;
  const name = tagName(fields);
  if ([...tags.values()].some(tag => tag.name === name)) throw new ApiError(45157);
  account.data.serial += 1;
  const id = FIRST_TAG_ID + account.data.serial;
  tags.set(id, { id, name, count: 0 });
  return plain({ tag: { id, name } });
};

const getTags: AccountApi = ({ account }) => plain({ tags: [...account.data.tags.values()] });

const updateTag: AccountApi = call => {
  tagOf(call).name = tagName(call.fields);
  return ok();
};

const deleteTag: AccountApi = call => {
  call.account.data.tags.delete(tagOf(call).id);
  return ok();
};

export const userApis: Record<string, AccountApi> = {
  '/cgi-bin/user/get': getFans,
  '/cgi-bin/user/info': userInfo,
  '/cgi-bin/user/info/batchget': batchUserInfo,
  '/cgi-bin/tags/create': createTag,
  '/cgi-bin/tags/get': getTags,
  '/cgi-bin/tags/update': updateTag,
  '/cgi-bin/tags/delete': deleteTag,
  '/cgi-bin/user/tag/get': () => plain({ count: 0, data: { openid: [] }, next_openid: '' }),
  '/cgi-bin/tags/getidlist': () => plain({ tagid_list: [] }),
  '/cgi-bin/tags/members/getblacklist': () =>
    plain({ total: 0, count: 0, data: { openid: [] }, next_openid: '' }),
};
