import { type Answer, ok, plain } from '../answers.ts';
import { type AccountApi, need, type OpenApi } from '../call.ts';
import { catalogEntryOf } from '../catalog.ts';
import { ApiError } from '../errors.ts';
import { STABLE_PATH } from '../quotas.ts';
import { accountOfSecret } from './token.ts';

/** Addresses reserved for documentation (RFC 5737), so that nobody calls them by mistake. */
const PLATFORM_IPS = ['203.0.113.10', '203.0.113.11', '203.0.113.12'];

/** POST /cgi-bin/clear_quota, page clearQuota. */
const clearQuota: AccountApi = ({ account, fields, now }) => {
  if (fields['appid'] !== account.appid) throw new ApiError(40013);
  if (!account.quotas.clear(now)) throw new ApiError(48006);
  return ok();
};

/** POST /cgi-bin/clear_quota/v2, page clearQuotaByAppSecret; an older page has the fields in the query. */
const clearQuotaBySecret: OpenApi = call => {
  const { query, body, now } = call;
  const fields = body.length === 0 && query.has('appid') ? Object.fromEntries(query) : call.json();
  const account = accountOfSecret(call, { appid: fields['appid'], secret: fields['appsecret'] });
  if (!account.quotas.clear(now)) throw new ApiError(48006);
  return ok();
};

/** POST /cgi-bin/openapi/quota/get, page getApiQuota. */
const getApiQuota: AccountApi = ({ account, fields, now }) => {
  const path = fields['cgi_path'];
  if (typeof path !== 'string' || !path.startsWith('/')) throw new ApiError(76021);
  if (path.startsWith('/sns/')) throw new ApiError(76022);
  const entry = catalogEntryOf(path);
  if (entry === undefined) throw new ApiError(76021);
  if (!entry.accounts.includes(account.settings.type)) throw new ApiError(76022);
  const daily_limit = account.quotas.limitOf(path);
  const used = account.quotas.usedOf(path, now);
  const call_count = path === STABLE_PATH ? account.settings.quotas.stablePerMinute : daily_limit;
  return ok({
    quota: { daily_limit, used, remain: Math.max(0, daily_limit - used) },
    rate_limit: { call_count, refresh_second: path === STABLE_PATH ? 60 : 86_400 },
  });
};

/** POST /cgi-bin/openapi/quota/clear, page clearApiQuota: WeChat store paths only. */
const clearApiQuota: AccountApi = ({ fields }) => {
  const path = fields['cgi_path'];
  if (typeof path !== 'string' || !path.startsWith('/')) throw new ApiError(76021);
  if (!path.startsWith('/channels/ec/')) throw new ApiError(76022);
  return ok();
};

/** POST /cgi-bin/openapi/rid/get, page getRidInfo. */
const getRidInfo: AccountApi = ({ account, fields, now, platform }) => {
  const found = platform.rids.find(need(fields, 'rid', 76002), account.appid, now);
  if (typeof found === 'number') throw new ApiError(found);
  const { appid: _appid, errcode: _errcode, ...request } = found;
  return ok({ request });
};

const CHECK_OPERATORS = ['CHINANET', 'UNICOM', 'CAP', 'DEFAULT'];

/** POST /cgi-bin/callback/check, page callbackCheck. */
const callbackCheck: AccountApi = ({ fields }) => {
  const action = fields['action'];
  if (action !== 'dns' && action !== 'ping' && action !== 'all') throw new ApiError(40202);
  if (!CHECK_OPERATORS.includes(String(fields['check_operator']))) throw new ApiError(40203);
  const [ip] = PLATFORM_IPS;
  const dns = [{ ip, real_operator: 'UNICOM' }];
  const ping = [{ ip, from_operator: 'UNICOM', package_loss: '0%', time: '23.079ms' }];
  return plain({ ...(action === 'ping' ? {} : { dns }), ...(action === 'dns' ? {} : { ping }) });
};

const ipList = (): Answer => plain({ ip_list: PLATFORM_IPS });

/** Components are not simulated: every component_appid is unknown. */
const unknownComponent: OpenApi = call => {
  need(call.json(), 'component_appid', 41002);
  throw new ApiError(61011);
};

/** As unknownComponent, for the page that names the component `appid`. */
const unknownComponentQuota: OpenApi = call => {
  call.json();
  throw new ApiError(61011);
};

export const managementAccountApis: Record<string, AccountApi> = {
  '/cgi-bin/clear_quota': clearQuota,
  '/cgi-bin/openapi/quota/get': getApiQuota,
  '/cgi-bin/openapi/quota/clear': clearApiQuota,
  '/cgi-bin/openapi/rid/get': getRidInfo,
  '/cgi-bin/callback/check': callbackCheck,
  '/cgi-bin/get_api_domain_ip': ipList,
  '/cgi-bin/getcallbackip': ipList,
};

export const managementOpenApis: Record<string, OpenApi> = {
  '/cgi-bin/clear_quota/v2': clearQuotaBySecret,
  '/cgi-bin/component/api_start_push_ticket': unknownComponent,
  '/cgi-bin/component/api_component_token': unknownComponent,
  '/cgi-bin/component/clear_quota/v2': unknownComponentQuota,
};
