/** Life of temporary media, page uploadTempMedia: three days. */
export const MEDIA_LIFE_MS = 3 * 86_400_000;

/** All media together; the oldest is forgotten first. */
const MAX_STORED_BYTES = 512 * 1024 * 1024;

export interface Medium {
  appid: string;
  type: string;
  filename: string;
  contentType: string;
  body: Buffer;
  createdAt: number;
  permanent: boolean;
}

/** Uploaded files of all accounts, in memory. */
export interface MediaStore {
  /** The serial number of the next file, for making its media_id. */
  nextSerial(): number;
  put(mediaId: string, medium: Medium): void;
  /** The file, if it is this account's and has not expired. */
  get(mediaId: string, appid: string, now: number): Medium | undefined;
  delete(mediaId: string): void;
  /** Permanent files of an account, oldest first. */
  permanent(appid: string): { mediaId: string; medium: Medium }[];
}

export function createMediaStore(maxBytes = MAX_STORED_BYTES): MediaStore {
  const media = new Map<string, Medium>();
  let stored = 0;
  let serial = 0;
  function drop(mediaId: string): void {
    stored -= media.get(mediaId)?.body.length ?? 0;
    media.delete(mediaId);
  }
  return {
    nextSerial() {
      serial += 1;
      return serial;
    },
    put(mediaId, medium) {
      media.set(mediaId, medium);
      stored += medium.body.length;
      for (const oldest of media.keys()) {
        if (stored <= maxBytes || oldest === mediaId) break;
        drop(oldest);
      }
    },
    get(mediaId, appid, now) {
      const medium = media.get(mediaId);
      if (medium === undefined || medium.appid !== appid) return undefined;
      return medium.permanent || now - medium.createdAt < MEDIA_LIFE_MS ? medium : undefined;
    },
    delete: drop,
    permanent: appid =>
      [...media]
        .filter(([, medium]) => medium.permanent && medium.appid === appid)
        .map(([mediaId, medium]) => ({ mediaId, medium })),
  };
}
