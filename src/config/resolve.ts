import type { Node } from 'jsonc-parser';
import type { PathFault } from './faults.ts';
import { pathText } from './faults.ts';
import type { Sources } from './interpolate.ts';
import { interpolate } from './interpolate.ts';

/** A parsed file turned into a plain value, its references replaced. */
export interface Resolved {
  readonly value: unknown;
  readonly faults: readonly PathFault[];
  /** Texts of the paths whose value is unknown, because a reference in it could not be replaced. */
  readonly unknown: ReadonlySet<string>;
  /** Absolute paths of the files named by `${file:…}`. */
  readonly files: readonly string[];
}

/** Turns a syntax tree into a plain value, replacing references and refusing doubled keys. */
export function resolveTree(root: Node, sources: Sources): Resolved {
  const faults: PathFault[] = [];
  const unknown = new Set<string>();
  const files = new Set<string>();

  const visit = (node: Node, path: (string | number)[]): unknown => {
    if (node.type === 'array')
      return (node.children ?? []).map((child, index) => visit(child, [...path, index]));
    if (node.type === 'object') return visitObject(node, path);
    if (node.type !== 'string') return node.value;
    const result = interpolate(String(node.value), sources);
    for (const file of result.files) files.add(file);
    for (const message of result.faults) faults.push({ path, message, at: 'value' });
    if (result.value === undefined) unknown.add(pathText(path));
    return result.value;
  };

  const visitObject = (node: Node, path: (string | number)[]): unknown => {
    const entries = new Map<string, unknown>();
    for (const { children: [key, value] = [] } of node.children ?? []) {
      if (key === undefined || value === undefined) continue;
      const name = String(key.value);
      const here = [...path, name];
      if (entries.has(name)) {
        faults.push({ path: here, message: 'is given twice', at: 'key', offset: key.offset });
      }
      // The one name that assignment to a plain object would lose without a word.
      if (name === '__proto__') faults.push({ path: here, message: 'is not a setting', at: 'key' });
      else entries.set(name, visit(value, here));
    }
    return Object.fromEntries(entries);
  };

  const value = visit(root, []);
  return { value, faults, unknown, files: [...files] };
}
