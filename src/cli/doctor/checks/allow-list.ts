import { createAllowList } from '../../../access/allow-list.ts';
import { nearest } from '../../../base/nearest.ts';
import { catalog } from '../../../simulator/catalog.ts';
import { QQ_PATHS } from '../../../simulator/qq-catalog.ts';
import { type Check, type Finding, ok, warn } from '../check.ts';

/** Paths of WeChat's published APIs, and the folders they are in. */
const PATHS: readonly string[] = catalog.map(({ path }) => path);
const FOLDERS: readonly string[] = [
  ...new Set(
    PATHS.flatMap(path => {
      const parts = path.split('/').slice(1, -1);
      return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}/*`);
    }),
  ),
];

/** Folders of QQ alone. Of its paths only a few are listed here, so that none in them looks like a misspelt one. */
const QQ_FOLDERS: readonly string[] = QQ_PATHS.map(({ path }) =>
  path.replace(/^(\/[^/]+\/).*$/, '$1'),
).filter(folder => !PATHS.some(path => path.startsWith(folder)));

/**
 * Whether the allow-list says what was meant. Not every API is published, so a path that is not known is
 * told of only when it is nearly one that is.
 */
export const allowList: Check = {
  name: 'allow-list',
  needs: 'settings',
  async run(exam) {
    const { openapi, callers } = exam.settings();
    const findings: Finding[] = [
      ...typos('openapi.allow', openapi.allow),
      ...callers.flatMap(({ name, allow }) => typos(`callers[${name}].allow`, allow ?? [])),
    ];
    if (!openapi.enabled)
      findings.push(
        warn(
          'allow-list',
          'the gateway is switched off: no call gets a credential',
          'set openapi.enabled to true',
        ),
      );
    else if (openapi.allow.length === 0)
      findings.push(
        warn(
          'allow-list',
          'is empty: every call without a token of its own is refused with 85107',
          'add the paths that your programs call to openapi.allow, such as "/wxa/msg_sec_check"',
        ),
      );
    if (findings.length > 0) return findings;
    const listed = createAllowList(openapi.allow);
    const count = PATHS.filter(path => listed.matches(path)).length;
    return [
      ok('allow-list', `${openapi.allow.join(', ')} (${count} of WeChat's ${PATHS.length} published paths)`),
    ];
  },
};

function typos(setting: string, patterns: readonly string[]): readonly Finding[] {
  return patterns.flatMap(pattern => {
    if (QQ_FOLDERS.some(folder => pattern.startsWith(folder))) return [];
    const { matches } = createAllowList([pattern]);
    if (PATHS.some(matches)) return [];
    const meant = nearest(pattern, pattern.endsWith('/*') ? FOLDERS : PATHS);
    if (meant === undefined) return [];
    return [
      warn(
        'allow-list',
        `${setting} lists ${pattern}, which is no published path of WeChat`,
        `if you meant ${meant}, correct it; if the path is right, leave it`,
      ),
    ];
  });
}
