/** Which paths may be called: exact ones, whole folders (`/cgi-bin/*`) or all (`/*`). */
export interface AllowList {
  /** The patterns as configured. */
  readonly patterns: readonly string[];
  /** Whether a canonical path (no query, no percent signs) is listed. Costs one look-up per segment. */
  matches(path: string): boolean;
}

/** The characters of a canonical path segment: the unreserved ones of RFC 3986. */
const SEGMENT = /^[A-Za-z0-9._~-]+$/;

/**
 * What is wrong with an allow pattern, in words for the person who wrote it; undefined when it is fine.
 *
 * @example allowPatternFault('wxa/x') // 'must begin with "/"'
 */
export function allowPatternFault(pattern: string): string | undefined {
  if (pattern === '') return 'must not be empty';
  if (pattern.includes('://') || pattern.startsWith('//')) return 'must be a path without a host';
  if (!pattern.startsWith('/')) return 'must begin with "/"';
  if (pattern.includes('?')) return 'must not have a query: parameters are not looked at';
  if (pattern.includes('#')) return 'must not have a fragment';
  if (pattern === '/' || pattern === '/*') return undefined;
  const path = pattern.endsWith('/*') ? pattern.slice(0, -2) : pattern;
  if (path.includes('*')) return 'may have "*" only as the whole last segment, as in "/cgi-bin/*"';
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return 'must not have an empty segment or end in "/"';
    if (segment === '.' || segment === '..') return 'must not have "." or ".." as a segment';
    if (!SEGMENT.test(segment)) {
      return `has the segment ${JSON.stringify(segment)}; only letters, digits and ". _ ~ -" occur in platform paths`;
    }
  }
  return undefined;
}

/**
 * Compiles allow patterns. `/cgi-bin/*` lists everything below `/cgi-bin/`, not `/cgi-bin` itself.
 * Throws TypeError naming the first pattern that is not one.
 */
export function createAllowList(patterns: readonly string[]): AllowList {
  const exact = new Set<string>();
  const folders = new Set<string>();
  let all = false;
  for (const pattern of patterns) {
    const fault = allowPatternFault(pattern);
    if (fault !== undefined) throw new TypeError(`allow pattern ${JSON.stringify(pattern)} ${fault}`);
    if (pattern === '/*') all = true;
    else if (pattern.endsWith('/*')) folders.add(pattern.slice(0, -2));
    else exact.add(pattern);
  }

  const inFolder = (path: string): boolean => {
    for (let slash = path.indexOf('/', 1); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (slash < path.length - 1 && folders.has(path.slice(0, slash))) return true;
    }
    return false;
  };
  return {
    patterns: [...patterns],
    matches: path => all || exact.has(path) || (folders.size > 0 && inFolder(path)),
  };
}
