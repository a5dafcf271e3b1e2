/**
 * The platform's error codes as the simulator words them. Official spelling is kept, typos included,
 * because clients in the field compare these strings.
 */
const MESSAGES: Readonly<Record<number, string>> = {
  [-101222100]: 'appid or appsecret error',
  [-1]: 'system error',
  0: 'ok',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40004: 'invalid media type',
  40007: 'invalid media_id',
  40008: 'invalid message type',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40016: 'invalid button size',
  40029: 'invalid code',
  40030: 'invalid refresh_token',
  40037: 'invalid template_id',
  40066: 'invalid url',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40129: 'invalid scene',
  40163: 'code been used',
  40202: 'invalid action',
  40203: 'invalid check_operator',
  40226: 'code blocked',
  40243: 'AppSecret frozen',
  41001: 'access_token missing',
  41002: 'appid missing',
  41003: 'refresh_token missing',
  41004: 'appsecret missing',
  41005: 'media data missing',
  41008: 'missing code',
  41009: 'missing openid',
  42001: 'access_token expired',
  42002: 'refresh_token expired',
  42003: 'oauth_code expired',
  42007: 'user changed password, access_token and refresh_token are void',
  43001: 'require GET method',
  43002: 'require POST method',
  44002: 'empty post data',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit mustslower retry next minute',
  45058: "can't modify sys tag",
  45103: 'This API has been unsupported',
  45157: 'invalid tag name',
  46003: 'menu no exist',
  47001: 'data format error',
  48001: 'api unauthorized',
  48004: 'api forbidden for irregularities',
  48006: 'forbid to clear quota because of reaching the limit',
  50002: 'user limited',
  50004: 'forbidden to use the token API',
  50007: 'account frozen',
  61004: 'access clientip is not registered',
  61007: 'api is unauthorized to component',
  61011: 'invalid component',
  61024: 'must use api(api_component_token) to get token for component acct',
  76001: 'rid not found',
  76002: 'rid is error',
  76003: 'could not query this rid,no permission',
  76004: 'rid time is error',
  76021: 'cgi_path not found, please check',
  76022: 'could not use this cgi_path,no permission',
  87007: 'session_key is not existd or expired',
  87008: 'invalid sig_method',
  87009: 'invalid signature',
  87014: 'risky content',
  89501: 'this ip is waiting for admin confirmation',
  89503: 'this call needs admin confirmation',
  89506: 'admin refused this ip, retry after 24 hours',
  89507: 'admin refused this ip, retry after 1 hour',
  // QQ Connect from here on; the spaces at the ends are its own.
  100001: 'param client_id is wrong or lost ',
  100002: 'param client_secret is wrong or lost ',
  100004: 'param grant_type is wrong or lost ',
  100005: 'param code is wrong or lost ',
  100006: 'param refresh token is wrong or lost ',
  100007: 'param access token is wrong or lost ',
  100008: 'client id is illegal',
  100009: 'client secret is illegal',
  100010: 'redirect uri is illegal',
  100013: 'access token is illegal',
  100016: 'access token check failed',
  100019: 'code to access token error',
  100020: 'code is reused error',
  100022: 'get refresh token error',
  100029: 'wrong http request',
  100048: 'companyid not set',
};

/** Codes by which a business API says that the access_token itself was refused. */
export const TOKEN_ERRORS: ReadonlySet<number> = new Set([40001, 40014, 41001, 42001]);

/**
 * The errmsg of a code, without the rid. `clientIp` is the caller's address; 40164 and 61004 echo it.
 * A code the simulator does not know reads `error`.
 */
export function errmsgOf(errcode: number, clientIp = ''): string {
  if (errcode === 40164) {
    const ipv6 = clientIp.includes(':') ? clientIp : `::ffff:${clientIp}`;
    return `invalid ip ${clientIp} ipv6 ${ipv6}, not in whitelist`;
  }
  if (errcode === 61004) return `${MESSAGES[errcode]} requestIP: ${clientIp}`;
  return MESSAGES[errcode] ?? 'error';
}

/** A business failure of the platform. It becomes HTTP 200 with `errcode` and `errmsg … rid: …`. */
export class ApiError extends Error {
  readonly errcode: number;
  /** The wording when it differs from the usual one of the code. */
  readonly errmsg: string | undefined;

  constructor(errcode: number, errmsg?: string) {
    super(`errcode ${errcode}`);
    this.name = 'ApiError';
    this.errcode = errcode;
    this.errmsg = errmsg;
  }
}
