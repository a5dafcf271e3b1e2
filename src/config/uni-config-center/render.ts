import { ANY_DCLOUD_APPID } from '../fields.ts';
import { escapeReferences } from '../interpolate.ts';
import type { UniConfigCenter } from './center.ts';
import { asObject, CENTER_FILES, originText } from './files.ts';
import { mergeCenter } from './merge.ts';

/** A part of the file: what is said of it, and its text. */
interface Section {
  readonly name: string;
  readonly comments: readonly string[];
  readonly lines: readonly string[];
}

/**
 * Writes what a folder says as a configuration file of ours, with comments that tell where each thing
 * comes from. Secrets stand in it in clear. `source` names the folder.
 */
export function renderConfig(center: UniConfigCenter, source: string): string {
  const merged = mergeCenter({}, center);
  const written = asObject(merged.value)?.['apps'];
  const apps = Array.isArray(written) ? written.map((app: unknown) => asObject(app) ?? {}) : [];
  const sections: readonly Section[] = [
    {
      name: 'apps',
      comments: [],
      lines: list(
        apps.map((app, index) => {
          const origin = merged.originOf(['apps', index]);
          const comments = origin === undefined ? [] : [`// ${originText(origin)}`];
          return [...comments, appText(app, center.schedule !== undefined)];
        }),
      ),
    },
    ...scheduleSection(center),
    ...ipWhiteListSection(center),
    ...s2sSection(center),
    {
      name: 'openapi',
      comments: [
        'The gateway puts a credential only into calls whose path is listed: exact, as in',
        '"/wxa/msg_sec_check", or a folder, as in "/cgi-bin/*".',
      ],
      lines: ['{ "allow": [] }'],
    },
    {
      name: 'storage',
      comments: [],
      lines: [
        '{',
        '  "database": "sqlite:./data/open-bridge.db",',
        '  // Made by: open-bridge keys new --out ./data/seal.key',
        '  "sealKey": "${file:./data/seal.key}"',
        '}',
      ],
    },
  ];
  const heading = [
    `// Made of the uni-config-center folder ${JSON.stringify(source)} by "open-bridge config import".`,
    '// The appsecrets stand here in clear: better write ${env:NAME} or ${file:PATH} for each of them.',
  ];
  const body = sections.map(({ name, comments, lines: [first = '', ...rest] }) =>
    [...comments.map(comment => `// ${comment}`), `${JSON.stringify(name)}: ${first}`, ...rest].map(
      line => `  ${line}`,
    ),
  );
  return `${[...heading, '{', body.map(lines => lines.join('\n')).join(',\n\n'), '}'].join('\n')}\n`;
}

function appText(app: Readonly<Record<string, unknown>>, hasSchedule: boolean): string {
  const { dcloudAppid, ...rest } = app;
  const ids = Array.isArray(dcloudAppid) ? (dcloudAppid as unknown[]) : [];
  const isAny = ids.length === 1 && ids[0] === ANY_DCLOUD_APPID;
  // Without the setting an app is every dcloudAppid's as well, but then no schedule can speak of it.
  if (isAny && !hasSchedule) return inline(rest);
  return inline({ ...rest, dcloudAppid: ids.length === 1 ? ids[0] : ids });
}

function scheduleSection({ schedule, apps }: UniConfigCenter): readonly Section[] {
  if (schedule === undefined) return [];
  const listed = new Set(schedule.map(({ dcloudAppid }) => dcloudAppid));
  const unlisted = new Set(
    apps.flatMap(({ dcloudAppids }) => {
      const named = dcloudAppids.filter(id => id !== ANY_DCLOUD_APPID);
      return (named.length === 0 ? dcloudAppids : named).filter(id => !listed.has(id));
    }),
  );
  return [
    {
      name: 'schedule',
      comments: ['What is kept fresh in the background; the rest is fetched when it is asked for.'],
      lines: object([
        ...schedule.map(({ dcloudAppid, entry }) => [`${JSON.stringify(dcloudAppid)}: ${inline(entry)}`]),
        ...[...unlisted].map(id => [
          `// Not in the schedule of ${CENTER_FILES.uniOpenBridge}, so left alone as in uniCloud`,
          `${JSON.stringify(id)}: { "enable": false }`,
        ]),
      ]),
    },
  ];
}

function ipWhiteListSection({ ipWhiteList }: UniConfigCenter): readonly Section[] {
  if (ipWhiteList === undefined) return [];
  return [
    {
      name: 'ipWhiteList',
      comments: [
        'From these addresses the uni-open-bridge functions may be called without any key.',
        '0.0.0.0 is no wildcard.',
      ],
      lines: [inline(ipWhiteList.map(({ rule }) => rule))],
    },
  ];
}

function s2sSection({ s2s }: UniConfigCenter): readonly Section[] {
  if (s2s === undefined) return [];
  const isMd5 = s2s.value['hashMethod'] === 'sha256' && s2s.value['quirks'] === undefined;
  return [
    {
      name: 's2s',
      comments: isMd5
        ? [
            'The uni-cloud-s2s module 1.0.1 makes MD5 of sha256. For callers that use it, add',
            '"quirks": ["sha256-is-md5"], or better change both sides to hmac-sha256.',
          ]
        : [],
      lines: [inline(s2s.value)],
    },
  ];
}

/** JSON on one line with spaces, whose strings are taken as they are. */
function inline(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(escapeReferences(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}: ${inline(inner)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

function list(entries: readonly (readonly string[])[]): readonly string[] {
  return entries.length === 0 ? ['[]'] : ['[', ...separated(entries), ']'];
}

function object(entries: readonly (readonly string[])[]): readonly string[] {
  return entries.length === 0 ? ['{}'] : ['{', ...separated(entries), '}'];
}

/** Indents entries of several lines each, with a comma after all but the last. */
function separated(entries: readonly (readonly string[])[]): readonly string[] {
  return entries.flatMap((lines, index) =>
    lines.map((line, at) => {
      const comma = at === lines.length - 1 && index < entries.length - 1 ? ',' : '';
      return `  ${line}${comma}`;
    }),
  );
}
