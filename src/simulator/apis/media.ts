import { type Answer, bytes, ok, plain } from '../answers.ts';
import { type AccountApi, type AccountCall, need, secondsOf } from '../call.ts';
import { ApiError } from '../errors.ts';
import type { Medium } from '../media.ts';
import { parseMultipart } from '../multipart.ts';

const TYPES = ['image', 'voice', 'video', 'thumb', 'file'];

/** Characters of a media_id. */
const MEDIA_ID_LENGTH = 64;

function store(call: AccountCall, type: string, permanent: boolean): string {
  const { account, platform, contentType, body, now } = call;
  const file = parseMultipart(contentType, body)?.find(part => part.filename !== undefined);
  if (file === undefined || file.body.length === 0) throw new ApiError(41005);
  const mediaId = platform.derived.text(MEDIA_ID_LENGTH, 'media', account.appid, platform.media.nextSerial());
  platform.media.put(mediaId, {
    appid: account.appid,
    type,
    filename: file.filename ?? 'media',
    contentType: file.contentType,
    body: file.body,
    createdAt: now,
    permanent,
  });
  return mediaId;
}

function typeOf(call: AccountCall): string {
  const type = call.query.get('type') ?? '';
  if (!TYPES.includes(type)) throw new ApiError(40004);
  return type;
}

function mediumOf(call: AccountCall, mediaId: string | null): Medium {
  const medium = call.platform.media.get(mediaId ?? '', call.account.appid, call.now);
  if (medium === undefined) throw new ApiError(40007);
  return medium;
}

/** A file as it was uploaded, with RFC 6266 quoting of its name. */
function download(medium: Medium): Answer {
  const safe = medium.filename.replace(/[^\x20-\x7e]|["\\]/g, '_');
  return bytes(medium.body, medium.contentType.replace(/[^\x20-\x7e]/g, ''), {
    'content-disposition': `attachment; filename="${safe}"`,
  });
}

/** POST /cgi-bin/media/upload, page uploadTempMedia; no errcode on success. */
const upload: AccountApi = call => {
  const type = typeOf(call);
  const mediaId = store(call, type, false);
  const key = type === 'thumb' ? 'thumb_media_id' : 'media_id';
  return plain({ type, [key]: mediaId, created_at: secondsOf(call) });
};

/** GET /cgi-bin/media/get, page getTempMedia. Videos are sent as well; the platform answers a URL for them. */
const get: AccountApi = call => download(mediumOf(call, call.query.get('media_id')));

/** POST /cgi-bin/media/uploadimg, page uploadImage. */
const uploadImage: AccountApi = call => {
  const mediaId = store(call, 'image', true);
  return plain({ url: `http://mmbiz.qpic.cn/mmbiz_png/${mediaId}/0` });
};

/** POST /cgi-bin/material/add_material, page addMaterial. */
const addMaterial: AccountApi = call => {
  const type = typeOf(call);
  const media_id = store(call, type, true);
  return plain({
    media_id,
    ...(type === 'image' ? { url: `http://mmbiz.qpic.cn/mmbiz_png/${media_id}/0` } : {}),
  });
};

/** POST /cgi-bin/material/get_material, page getMaterial. */
const getMaterial: AccountApi = call => download(mediumOf(call, need(call.fields, 'media_id', 40007)));

/** POST /cgi-bin/material/del_material, page delMaterial. */
const delMaterial: AccountApi = call => {
  const mediaId = need(call.fields, 'media_id', 40007);
  mediumOf(call, mediaId);
  call.platform.media.delete(mediaId);
  return ok();
};

/** GET /cgi-bin/material/get_materialcount, page getMaterialCount. */
const getMaterialCount: AccountApi = ({ account, platform }) => {
  const files = platform.media.permanent(account.appid);
  const count = (type: string): number => files.filter(({ medium }) => medium.type === type).length;
  return plain({
    voice_count: count('voice'),
    video_count: count('video'),
    image_count: count('image'),
    news_count: 0,
  });
};

/** POST /cgi-bin/material/batchget_material, page batchGetMaterial. */
const batchGetMaterial: AccountApi = ({ account, platform, fields }) => {
  const offset = Number(fields['offset'] ?? 0);
  const count = Number(fields['count'] ?? 20);
  if (!Number.isInteger(offset) || !Number.isInteger(count) || offset < 0 || count < 1)
    throw new ApiError(47001);
  const files = platform.media
    .permanent(account.appid)
    .filter(({ medium }) => medium.type === fields['type']);
  const item = files.slice(offset, offset + count).map(({ mediaId, medium }) => ({
    media_id: mediaId,
    name: medium.filename,
    update_time: Math.floor(medium.createdAt / 1000),
  }));
  return plain({ total_count: files.length, item_count: item.length, item });
};

export const mediaApis: Record<string, AccountApi> = {
  '/cgi-bin/media/upload': upload,
  '/cgi-bin/media/get': get,
  '/cgi-bin/media/get/jssdk': get,
  '/cgi-bin/media/uploadimg': uploadImage,
  '/cgi-bin/material/add_material': addMaterial,
  '/cgi-bin/material/get_material': getMaterial,
  '/cgi-bin/material/del_material': delMaterial,
  '/cgi-bin/material/get_materialcount': getMaterialCount,
  '/cgi-bin/material/batchget_material': batchGetMaterial,
};
