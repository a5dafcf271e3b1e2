/** What a browser says of where a request of its own comes from. Other programs send neither header. */
export interface BrowserMarks {
  /** `Sec-Fetch-Site` (Fetch Metadata Request Headers, W3C). */
  readonly secFetchSite: string | undefined;
  readonly origin: string | undefined;
}

/**
 * Whether a web page made a browser send this request. On a machine where every local program is
 * trusted, a page open in its browser must not be: it can send requests to loopback without being asked.
 * A person's own navigation (`none`) and pages we served ourselves (`same-origin`) are fine.
 */
export function isFromWebPage({ secFetchSite, origin }: BrowserMarks): boolean {
  if (secFetchSite !== undefined) return secFetchSite !== 'none' && secFetchSite !== 'same-origin';
  return origin !== undefined;
}
