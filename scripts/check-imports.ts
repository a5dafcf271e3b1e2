import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

/**
 * Checks that imports keep to the architecture: `node scripts/check-imports.ts [root]`. Prints each
 * breach as `file:line: rule` and exits with 1 when there is one.
 */

/** What each folder of src may import from, beside itself. A new folder must be entered here first. */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'everything'>> = {
  base: [],
  contract: ['base'],
  platforms: ['base'],
  stores: ['base', 'platforms'],
  credentials: ['base', 'platforms', 'stores'],
  access: ['base', 'platforms', 'stores', 'credentials'],
  gateway: ['base', 'contract', 'platforms', 'stores', 'credentials', 'access'],
  ingress: ['base', 'platforms', 'stores', 'credentials', 'access'],
  services: ['base', 'platforms', 'stores', 'credentials', 'access'],
  config: ['base', 'platforms', 'stores', 'credentials', 'access', 'gateway'],
  server: [
    ...['base', 'platforms', 'stores', 'credentials', 'access'],
    ...['gateway', 'ingress', 'services', 'config', 'contract', 'common'],
  ],
  client: ['contract'],
  common: ['base', 'platforms', 'stores', 'credentials', 'access', 'config', 'client', 'contract'],
  // Independent of the rest, so that a mistake in the one cannot hide the same mistake in the other.
  simulator: [],
  cli: 'everything',
};

/** Who reads the environment and hands it on: the command line, and the library, which has none above it. */
const ENVIRONMENT_READERS = ['src/cli/', 'src/common/environment.ts'];

/** A rule that a file breaks. */
export interface Breach {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

interface SourceFile {
  /** From the root, with forward slashes: `src/base/clock.ts`. */
  readonly path: string;
  readonly folder: string;
  readonly imports: readonly Import[];
}

interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

interface Manifest {
  readonly name: string | undefined;
  readonly devDependencies: ReadonlySet<string>;
}

const builtins = new Set(builtinModules);

/** Checks every file of `src` under a root that is not a test. */
export function checkTree(root: string): { readonly files: number; readonly breaches: readonly Breach[] } {
  const breaches: Breach[] = [];
  const report = (breach: Breach): void => void breaches.push(breach);
  const manifest = readManifest(root);
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map(name => `src/${name.split(sep).join('/')}`)
    .filter(path => path.endsWith('.ts') && !/\.(test|fixture)\.ts$/.test(path))
    .sort()
    .map(path => readSource(root, path, report));
  checkFolders(sources, report);
  for (const source of sources) checkImports(source, manifest, report);
  checkCycles(sources, report);
  return { files: sources.length, breaches };
}

type Report = (breach: Breach) => void;

function readManifest(root: string): Manifest {
  try {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return { name: manifest.name, devDependencies: new Set(Object.keys(manifest.devDependencies ?? {})) };
  } catch {
    return { name: undefined, devDependencies: new Set() };
  }
}

/** Parses a file, noting its imports; breaches that need no other file are reported here. */
function readSource(root: string, path: string, report: Report): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const folder = path.split('/').length > 2 ? (path.split('/')[1] ?? '') : '';
  const imports: Import[] = [];
  const lineOf = (node: AstNode): number => text.slice(0, node.start).split('\n').length;
  const breach = (node: AstNode, rule: string): void => report({ file: path, line: lineOf(node), rule });
  let program: AstNode;
  try {
    program = parseAst(text, { lang: 'ts' }) as unknown as AstNode;
  } catch (error) {
    report({ file: path, line: 1, rule: `cannot be parsed: ${String(error)}` });
    return { path, folder, imports };
  }
  visit(program, node => {
    if (isImport(node)) {
      const source = node.source as AstNode | null;
      if (typeof source?.value === 'string') imports.push({ specifier: source.value, line: lineOf(node) });
      else if (source !== null) breach(node, 'import() needs a literal path, so that it can be checked');
    }
    if (!ENVIRONMENT_READERS.some(reader => path.startsWith(reader)) && readsEnvironment(node)) {
      breach(
        node,
        'only src/cli reads process.env, and src/common/environment.ts for the library; take what you need as an argument',
      );
    }
  });
  return { path, folder, imports };
}

function isImport({ type }: AstNode): boolean {
  return (
    type === 'ImportDeclaration' ||
    type === 'ExportAllDeclaration' ||
    type === 'ExportNamedDeclaration' ||
    type === 'ImportExpression' ||
    type === 'TSImportType'
  );
}

/** `process.env`, `globalThis.process.env`, `const { env } = process` and `import { env } from 'node:process'`. */
function readsEnvironment(node: AstNode): boolean {
  if (node.type === 'MemberExpression') return nameOf(node.property) === 'env' && isProcess(node.object);
  if (node.type === 'VariableDeclarator')
    return isProcess(node.init) && takesEnv((node.id as AstNode).properties, 'key');
  if (node.type !== 'ImportDeclaration') return false;
  return nameOf(node.source)?.replace('node:', '') === 'process' && takesEnv(node.specifiers, 'imported');
}

function isProcess(value: unknown): boolean {
  const node = value as AstNode | null | undefined;
  return nameOf(node?.type === 'MemberExpression' ? node.property : node) === 'process';
}

function takesEnv(parts: unknown, field: string): boolean {
  return Array.isArray(parts) && parts.some(part => nameOf(part[field]) === 'env');
}

/** The name of an identifier or the text of a string. */
function nameOf(value: unknown): string | undefined {
  const node = value as AstNode | null | undefined;
  const name = node?.type === 'Identifier' ? node.name : node?.type === 'Literal' ? node.value : undefined;
  return typeof name === 'string' ? name : undefined;
}

function visit(value: unknown, enter: (node: AstNode) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (typeof (value as AstNode).type === 'string') enter(value as AstNode);
  for (const child of Object.values(value)) visit(child, enter);
}

function checkFolders(sources: readonly SourceFile[], report: Report): void {
  const seen = new Set<string>();
  for (const { path, folder } of sources) {
    if (Object.hasOwn(MAY_IMPORT, folder) || seen.has(folder)) continue;
    seen.add(folder);
    const what =
      folder === ''
        ? 'a file directly in src belongs to no folder'
        : `src/${folder} is not in the table of folders`;
    report({ file: path, line: 1, rule: `${what}; say in scripts/check-imports.ts what it may import` });
  }
}

function checkImports(source: SourceFile, manifest: Manifest, report: Report): void {
  for (const { specifier, line } of source.imports) {
    const rule = specifier.startsWith('.')
      ? checkRelative(source, specifier)
      : checkBare(specifier, manifest);
    if (rule !== undefined) report({ file: source.path, line, rule: `${rule} (${specifier})` });
  }
}

/** Where a relative import leads, from the root: `src/base/clock.ts`. */
function targetOf(source: SourceFile, specifier: string): string {
  return posix.join(posix.dirname(source.path), specifier);
}

function checkRelative(source: SourceFile, specifier: string): string | undefined {
  const target = targetOf(source, specifier);
  const [top, folder = ''] = target.split('/');
  if (top !== 'src') return 'src imports nothing outside src';
  if (/\.(test|fixture)\.ts$/.test(target)) return 'only tests import tests and their fixtures';
  const allowed = Object.hasOwn(MAY_IMPORT, source.folder) ? MAY_IMPORT[source.folder] : 'everything';
  if (allowed === 'everything' || folder === source.folder || allowed?.includes(folder)) return undefined;
  const list = allowed?.length ? `only ${allowed.join(', ')}` : 'it imports nothing else of src';
  return `${source.folder} may not import ${folder}, ${list}`;
}

function checkBare(specifier: string, { name: ownName, devDependencies }: Manifest): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  if (builtins.has(specifier)) return `write node:${specifier}`;
  const [scope = '', name = ''] = specifier.split('/');
  const dependency = scope.startsWith('@') ? `${scope}/${name}` : scope;
  if (dependency === ownName) return 'src imports itself by relative paths';
  return devDependencies.has(dependency) ? 'src imports no development dependency' : undefined;
}

/** Files and the files they import, with the line of the first import of each. */
type Edges = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Reports one shortest circle for each group of files that lead back to one another. */
function checkCycles(sources: readonly SourceFile[], report: Report): void {
  const edges: Edges = new Map(sources.map(source => [source.path, targetsOf(source)]));
  const reported = new Set<string>();
  for (const { path } of sources) {
    if (reported.has(path)) continue;
    const circle = shortestCircle(edges, path);
    if (circle === undefined) continue;
    for (const member of circle) reported.add(member);
    const line = edges.get(path)?.get(circle[1] ?? path) ?? 1;
    report({ file: path, line, rule: `imports run in a circle: ${[...circle, path].join(' → ')}` });
  }
}

function targetsOf(source: SourceFile): ReadonlyMap<string, number> {
  const targets = new Map<string, number>();
  for (const { specifier, line } of source.imports) {
    const target = targetOf(source, specifier);
    if (specifier.startsWith('.') && !targets.has(target)) targets.set(target, line);
  }
  return targets;
}

/** The files of a shortest way from a file back to itself, breadth first. */
function shortestCircle(edges: Edges, start: string): readonly string[] | undefined {
  let ways: readonly (readonly string[])[] = [[start]];
  const reached = new Set<string>();
  while (ways.length > 0) {
    const next: string[][] = [];
    for (const way of ways) {
      for (const target of edges.get(way.at(-1) ?? start)?.keys() ?? []) {
        if (target === start) return way;
        if (reached.has(target)) continue;
        reached.add(target);
        next.push([...way, target]);
      }
    }
    ways = next;
  }
  return undefined;
}

if (import.meta.main) {
  const { files, breaches } = checkTree(
    resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))),
  );
  for (const { file, line, rule } of breaches) console.error(`${file}:${line}: ${rule}`);
  if (breaches.length > 0) {
    console.error(
      `breaches of the import rules: ${breaches.length}; the table is in scripts/check-imports.ts`,
    );
    process.exitCode = 1;
  } else {
    console.log(`files whose imports keep to the rules: ${files}`);
  }
}
