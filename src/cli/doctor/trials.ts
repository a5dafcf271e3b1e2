import type { App, PlatformId, UpstreamId, UpstreamRequest } from '../../platforms/platform.ts';
import { PLATFORMS } from '../../platforms/platforms.ts';
import type { Reply } from './wire.ts';

/** What can be asked of an API host without a credential. */
interface HostTrial {
  /** By the answer to this the host shows who it is. */
  readonly path: string;
  /** Whether an answer to it can be the platform's. */
  isAnswer(reply: Reply): boolean;
  /** One that the gateway passes on as it is. */
  readonly passedOn: string;
}

/** Page getCallbackIp: every account has it, and it changes nothing. */
const CALLBACK_ADDRESSES = '/cgi-bin/getcallbackip';

/** The platform's verdict on a call without a token. */
const TOKEN_MISSING = 41001;

const QQ_CONNECT_ME = '/oauth2.0/me?fmt=json';

/** What is asked to see whether an API host can be reached. */
export const HOST_TRIALS: Readonly<Record<UpstreamId, HostTrial>> = {
  weixin: {
    path: CALLBACK_ADDRESSES,
    isAnswer: ({ json }) => json?.['errcode'] === TOKEN_MISSING,
    passedOn: '/sns/auth',
  },
  // No page says how QQ words the refusal of a call that lacks everything, only that it is JSON.
  qq: { path: '/api/getToken', isAnswer: ({ json }) => json !== undefined, passedOn: '/sns/jscode2session' },
  qqConnect: {
    path: QQ_CONNECT_ME,
    isAnswer: ({ text }) => text.includes('"error"'),
    passedOn: QQ_CONNECT_ME,
  },
};

/** A call that every account of a platform may make and that changes nothing, to try a token on. */
export type TokenTrial = (app: App) => Omit<UpstreamRequest, 'query'>;

/** What can be tried with an account of one platform without changing anything. */
interface AccountTrials {
  /** Undefined where the platform issues no tokens to apps. */
  readonly token?: TokenTrial;
  /** An API that only accounts of this type have: without parameters, and given to unverified ones too. */
  readonly own?: string;
  /** Where the platform tells how much of a quota is left. */
  readonly quota?: string;
}

/** Mini programs and official accounts of WeChat. */
const account = {
  token: () => ({ method: 'GET', path: CALLBACK_ADDRESSES }),
  quota: '/cgi-bin/openapi/quota/get',
} as const satisfies AccountTrials;

/** What can be tried on each platform; pages getSceneList and getCurrentSelfmenuInfo of WeChat, msgSecCheck of QQ. */
export const ACCOUNT_TRIALS: Readonly<Record<PlatformId, AccountTrials>> = {
  'weixin-mp': { ...account, own: '/wxaapi/log/get_scene' },
  'weixin-h5': { ...account, own: '/cgi-bin/get_current_selfmenu_info' },
  'weixin-web': {},
  'weixin-app': {},
  'qq-mp': {
    token: ({ appid }) => ({
      method: 'POST',
      path: '/api/json/security/MsgSecCheck',
      json: { appid, content: 'hello' },
    }),
  },
  'qq-app': {},
};

/**
 * The hosts which programs had better call through the gateway, as it adds something there for these apps:
 * QQ Connect knows no credentials of apps. WeChat's if there is none.
 */
export function hostsServed(apps: readonly App[]): readonly [string, ...string[]] {
  const [first, ...others] = new Set(
    [...PLATFORMS.values()]
      .filter(
        ({ id, pathCredential }) =>
          apps.some(({ platform }) => platform === id) && pathCredential('/') === 'app',
      )
      .flatMap(({ hosts }) => hosts),
  );
  return first === undefined ? ['api.weixin.qq.com'] : [first, ...others];
}

/** Whether a host is one by which programs mean a platform. */
export function isPlatformHost(host: string): boolean {
  return [...PLATFORMS.values()].some(({ hosts }) => hosts.includes(host));
}
