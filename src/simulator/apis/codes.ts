import { bytes, ok, plain } from '../answers.ts';
import { type AccountApi, type AccountCall, need, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';
import { codePicture } from '../png.ts';

const DEFAULT_WIDTH = 430;
const MIN_WIDTH = 280;
const MAX_WIDTH = 1280;

/** The longest time a scheme, a link or a scene code may be asked for: 30 days, in seconds. */
const LINK_LIFE_SECONDS = 30 * 86_400;

function picture(call: AccountCall, text: string) {
  const asked = call.fields['width'];
  const width = typeof asked === 'number' && Number.isFinite(asked) ? Math.round(asked) : DEFAULT_WIDTH;
  const size = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, width));
  return bytes(codePicture(`${call.entry.path} ${call.account.appid} ${text}`, size), 'image/png');
}

/** POST /wxa/getwxacode and /cgi-bin/wxaapp/createwxaqrcode, pages getQRCode and createQRCode. */
const pathCode: AccountApi = call => picture(call, need(call.fields, 'path', 47001));

/** POST /wxa/getwxacodeunlimit, page getUnlimitedQRCode: scene has 1 to 32 characters. */
const sceneCode: AccountApi = call => {
  const scene = need(call.fields, 'scene', 40129);
  if (scene.length > 32) throw new ApiError(40129);
  return picture(call, `${scene} ${String(call.fields['page'] ?? '')}`);
};

/** GET /wxa/get_qrcode, page getTrialQRCode. */
const trialCode: AccountApi = call => picture(call, call.query.get('path') ?? '');

function serialText({ account, platform, entry }: AccountCall, length: number): string {
  account.data.serial += 1;
  return platform.derived.text(length, entry.path, account.appid, account.data.serial);
}

const scheme: AccountApi = call => ok({ openlink: `weixin://dl/business/?t=${serialText(call, 11)}` });
const urlLink: AccountApi = call => ok({ url_link: `https://wxaurl.cn/${serialText(call, 11)}` });

/** POST /wxa/genwxashortlink, page generateShortLink. */
const shortLink: AccountApi = call => {
  need(call.fields, 'page_url', 47001);
  return ok({ link: `#小程序://${call.account.settings.name}/${serialText(call, 15)}` });
};

/** POST /cgi-bin/qrcode/create, page createQrcodeTicket; no errcode on success. */
const createTicket: AccountApi = call => {
  const { action_name, action_info, expire_seconds } = call.fields;
  if (typeof action_name !== 'string' || typeof action_info !== 'object') throw new ApiError(47001);
  const lasts = action_name.startsWith('QR_LIMIT');
  const seconds = typeof expire_seconds === 'number' ? Math.min(expire_seconds, LINK_LIFE_SECONDS) : 60;
  return plain({
    ticket: serialText(call, 96),
    ...(lasts ? {} : { expire_seconds: seconds }),
    url: `http://weixin.qq.com/q/${serialText(call, 22)}`,
  });
};

/** POST /cgi-bin/shorten/gen, page genShorten. */
const shorten: AccountApi = call => {
  const long_data = need(call.fields, 'long_data', 47001);
  const asked = call.fields['expire_seconds'];
  const expire_seconds = typeof asked === 'number' ? Math.min(asked, LINK_LIFE_SECONDS) : LINK_LIFE_SECONDS;
  const short_key = serialText(call, 15);
  call.account.data.shortened.set(short_key, { long_data, create_time: secondsOf(call), expire_seconds });
  return ok({ short_key });
};

/** POST /cgi-bin/shorten/fetch, page fetchShorten. */
const fetchShorten: AccountApi = call => {
  const found = call.account.data.shortened.get(need(call.fields, 'short_key', 47001));
  if (found === undefined || secondsOf(call) >= found.create_time + found.expire_seconds)
    throw new ApiError(40097);
  return ok({ ...found });
};

/** POST /cgi-bin/shorturl, page shortUrl. */
const shortUrl: AccountApi = call => {
  need(call.fields, 'long_url', 47001);
  return ok({ short_url: `https://w.url.cn/s/${serialText(call, 7)}` });
};

export const codeApis: Record<string, AccountApi> = {
  '/wxa/getwxacode': pathCode,
  '/wxa/getwxacodeunlimit': sceneCode,
  '/cgi-bin/wxaapp/createwxaqrcode': pathCode,
  '/wxa/get_qrcode': trialCode,
  '/wxa/generatescheme': scheme,
  '/wxa/generatenfcscheme': scheme,
  '/wxa/generate_urllink': urlLink,
  '/wxa/genwxashortlink': shortLink,
  '/cgi-bin/qrcode/create': createTicket,
  '/cgi-bin/shorten/gen': shorten,
  '/cgi-bin/shorten/fetch': fetchShorten,
  '/cgi-bin/shorturl': shortUrl,
};
