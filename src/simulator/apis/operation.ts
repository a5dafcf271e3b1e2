import { ok, plain } from '../answers.ts';
import type { AccountApi } from '../call.ts';
import { catalog } from '../catalog.ts';

const domains = (...schemes: string[]): string[] => schemes.map(scheme => `${scheme}://app.example.com`);

/** GET or POST /wxa/getwxadevinfo, page getDomainInfo. */
const getDomainInfo: AccountApi = () =>
  ok({
    requestdomain: domains('https'),
    wsrequestdomain: domains('wss'),
    uploaddomain: domains('https'),
    downloaddomain: domains('https'),
    udpdomain: [],
    bizdomain: domains('https'),
  });

/** POST /wxa/modify_domain, page modifyServerDomain. */
const modifyServerDomain: AccountApi = ({ fields }) =>
  ok({
    requestdomain: fields['requestdomain'] ?? [],
    wsrequestdomain: fields['wsrequestdomain'] ?? [],
    uploaddomain: fields['uploaddomain'] ?? [],
    downloaddomain: fields['downloaddomain'] ?? [],
  });

/** Analysis pages answer a list with one item a day; the simulator's accounts have no visitors. */
const noData: AccountApi = () => plain({ list: [] });

const analysisApis = Object.fromEntries(
  catalog.filter(({ path }) => path.startsWith('/datacube/')).map(({ path }) => [path, noData] as const),
);

export const operationApis: Record<string, AccountApi> = {
  ...analysisApis,
  '/wxa/getwxadevinfo': getDomainInfo,
  '/wxa/modify_domain': modifyServerDomain,
  '/wxa/get_category': () => ok({ category_list: [] }),
  '/wxa/get_page': () => ok({ page_list: ['pages/index/index'] }),
  '/cgi-bin/wxopen/getcategory': () => ok({ categories: [], limit: 5, quota: 5 }),
  '/cgi-bin/account/getaccountbasicinfo': ({ account }) =>
    ok({ appid: account.appid, account_type: 2, nickname: account.settings.name }),
  '/wxaapi/log/get_scene': () => ok({ scene: [] }),
  '/wxaapi/log/get_client_version': () => ok({ cvlist: [] }),
  '/wxaapi/userlog/userlog_search': () => ok({ data: { list: [] } }),
  '/wxaapi/feedback/list': () => ok({ list: [], total_num: 0 }),
  '/cgi-bin/draft/count': () => plain({ total_count: 0 }),
  '/cgi-bin/draft/batchget': () => plain({ total_count: 0, item_count: 0, item: [] }),
  '/cgi-bin/freepublish/batchget': () => plain({ total_count: 0, item_count: 0, item: [] }),
};
