import entries from './catalog.json' with { type: 'json' };

/** One path of the platform, as the official pages describe it. */
export interface CatalogEntry {
  path: string;
  method: 'GET' | 'POST';
  name_zh: string;
  name_en: string;
  category: string;
  /** Account types that may call it. */
  accounts: string[];
  /** The credential it demands. */
  auth: 'none' | 'access_token' | 'component' | 'code';
  encrypt?: boolean;
  note?: string;
}

const BY_PATH: ReadonlyMap<string, CatalogEntry> = new Map(
  (entries as CatalogEntry[]).map(entry => [entry.path, entry]),
);

/** Paths whose pages or SDKs use the other verb as well. */
const BOTH_VERBS: ReadonlySet<string> = new Set(['/wxa/getwxadevinfo', '/wxa/business/getuserencryptkey']);

/** POST paths that take their parameters in the query and need no JSON body. */
const WITHOUT_JSON: ReadonlySet<string> = new Set([
  '/cgi-bin/media/voice/translatecontent',
  '/wxa/business/getuserencryptkey',
]);

/** All paths, in the order of the catalogue. */
export const catalog: readonly CatalogEntry[] = [...BY_PATH.values()];

/** The entry of a path, or undefined when the platform has no such path. */
export function catalogEntryOf(path: string): CatalogEntry | undefined {
  return BY_PATH.get(path);
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
