import entries from './catalog.json' with { type: 'json' };
import type { CatalogEntry, PathEntry } from './path-entry.ts';
import { QQ_PATHS } from './qq-catalog.ts';
import type { Site } from './sites.ts';

/** The paths of api.weixin.qq.com, in the order of the catalogue. */
export const catalog: readonly PathEntry[] = (entries as CatalogEntry[]).map(entry => ({
  ...entry,
  site: 'weixin',
}));

const BY_SITE = new Map<Site, Map<string, PathEntry>>();
for (const entry of [...catalog, ...QQ_PATHS]) {
  const paths = BY_SITE.get(entry.site) ?? new Map<string, PathEntry>();
  BY_SITE.set(entry.site, paths.set(entry.path, entry));
}

/** Paths whose pages or SDKs use the other verb as well. */
const BOTH_VERBS: ReadonlySet<string> = new Set(['/wxa/getwxadevinfo', '/wxa/business/getuserencryptkey']);

/** POST paths that take their parameters in the query and need no JSON body. */
const WITHOUT_JSON: ReadonlySet<string> = new Set([
  '/cgi-bin/media/voice/translatecontent',
  '/wxa/business/getuserencryptkey',
]);

/** The entry of a path, or undefined when the site has no such path. */
export function catalogEntryOf(path: string, site: Site = 'weixin'): PathEntry | undefined {
  return BY_SITE.get(site)?.get(path);
}

/** The sites that have a path. One path is on two of them: /sns/jscode2session. */
export function sitesWith(path: string): Site[] {
  return [...BY_SITE].filter(([, paths]) => paths.has(path)).map(([site]) => site);
}

/** Whether a verb will do. HEAD passes for GET. */
export function isVerbRight(entry: CatalogEntry, method: string): boolean {
  const verb = method === 'HEAD' ? 'GET' : method;
  if (verb === entry.method) return true;
  return BOTH_VERBS.has(entry.path) && (verb === 'GET' || verb === 'POST');
}

/** Whether a POST to this path must carry a JSON object. Uploads and image recognition need none. */
export function wantsJson(entry: CatalogEntry): boolean {
  if (entry.method !== 'POST' || WITHOUT_JSON.has(entry.path) || entry.path.startsWith('/cv/')) return false;
  return entry.note?.includes('multipart') !== true;
}
