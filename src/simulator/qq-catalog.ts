import type { PathEntry } from './path-entry.ts';

/** GET, as /cgi-bin/token of WeChat. */
export const QQ_TOKEN_PATH = '/api/getToken';

/** The paths of api.q.qq.com and graph.qq.com that are simulated. */
export const QQ_PATHS: readonly PathEntry[] = [
  {
    path: QQ_TOKEN_PATH,
    site: 'qq',
    method: 'GET',
    name_zh: '获取接口调用凭据',
    name_en: 'getAccessToken',
    category: 'credential',
    accounts: ['qq-mp'],
    auth: 'none',
  },
  {
    path: '/sns/jscode2session',
    site: 'qq',
    method: 'GET',
    name_zh: '登录凭证校验',
    name_en: 'code2Session',
    category: 'credential',
    accounts: ['qq-mp'],
    auth: 'code',
  },
  {
    path: '/api/json/security/MsgSecCheck',
    site: 'qq',
    method: 'POST',
    name_zh: '文本内容安全检测',
    name_en: 'msgSecCheck',
    category: 'security-mp',
    accounts: ['qq-mp'],
    auth: 'access_token',
  },
  {
    path: '/api/json/subscribe/SendSubscriptionMessage',
    site: 'qq',
    method: 'POST',
    name_zh: '发送订阅消息',
    name_en: 'sendSubscriptionMessage',
    category: 'message-mp',
    accounts: ['qq-mp'],
    auth: 'access_token',
  },
  {
    path: '/oauth2.0/token',
    site: 'qq-connect',
    method: 'GET',
    name_zh: '获取或续期 Access Token',
    name_en: 'token',
    category: 'credential',
    accounts: ['qq-app'],
    auth: 'code',
  },
  {
    path: '/oauth2.0/me',
    site: 'qq-connect',
    method: 'GET',
    name_zh: '获取用户 OpenID',
    name_en: 'me',
    category: 'credential',
    accounts: ['qq-app'],
    auth: 'none',
  },
];
