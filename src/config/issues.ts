import type * as z from 'zod';
import { nearest } from '../base/nearest.ts';
import type { ConfigPath, PathFault } from './faults.ts';
import { pathText } from './faults.ts';
import type { JsonSchema } from './json-schema.ts';
import { configJsonSchema } from './json-schema.ts';
import { LATER_MESSAGE, LATER_SETTINGS } from './later.ts';

/** Words for zod's issues that neither quote the value nor need zod explained. */
export const issueMessage: z.core.$ZodErrorMap = issue => {
  if (issue.input === undefined && issue.code !== 'custom') return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' && typeof issue.input === 'number'
        ? 'must be a whole number'
        : `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}, not ${typeWord(issue.input)}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(value => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'array' ? 'must not be empty' : `must be ${issue.minimum} or more`;
    case 'too_big':
      return `must be ${issue.maximum} or less`;
    case 'invalid_union':
      return `must be a string or an array of strings, not ${typeWord(issue.input)}`;
    default:
      return undefined;
  }
};

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'an array',
  null: 'null',
};

function typeWord(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return TYPE_WORDS[typeof value] ?? typeof value;
}

/** Turns zod's issues into faults, one for each unknown key, with the key that was probably meant. */
export function faultsOfIssues(issues: readonly z.core.$ZodIssue[]): readonly PathFault[] {
  let schema: JsonSchema | undefined;
  return issues.flatMap((issue): readonly PathFault[] => {
    const path = issue.path.filter(part => typeof part !== 'symbol');
    if (issue.code === 'unrecognized_keys') {
      schema ??= configJsonSchema();
      const known = keysAt(schema, path);
      return issue.keys.map(key => unknownKey(path, key, known));
    }
    if (issue.code === 'invalid_union') return faultsOfUnion(issue, path);
    return [{ path, message: issue.message, at: 'value' }];
  });
}

/** A value that has the right type for one branch is told that branch's faults, others that no branch fits. */
function faultsOfUnion(issue: z.core.$ZodIssueInvalidUnion, path: ConfigPath): readonly PathFault[] {
  const fitting = issue.errors.find(
    branch =>
      branch.length > 0 &&
      branch.every(({ code, path: [first] }) => code !== 'invalid_type' || first !== undefined),
  );
  if (fitting === undefined) return [{ path, message: issue.message, at: 'value' }];
  return faultsOfIssues(fitting).map(fault => ({ ...fault, path: [...path, ...fault.path] }));
}

function unknownKey(parent: ConfigPath, key: string, known: readonly string[]): PathFault {
  const path = [...parent, key];
  if (LATER_SETTINGS.has(pathText(path))) return { path, message: LATER_MESSAGE, at: 'key' };
  const meant = nearest(key, known);
  const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  return { path, message: `is not a setting${hint}`, at: 'key' };
}

/** The settings that an object at this path may have. */
function keysAt(schema: JsonSchema | undefined, [part, ...rest]: ConfigPath): readonly string[] {
  if (part === undefined) return Object.keys(schema?.properties ?? {});
  if (typeof part === 'number') return keysAt(schema?.items, rest);
  const others = schema?.additionalProperties;
  return keysAt(schema?.properties?.[part] ?? (typeof others === 'object' ? others : undefined), rest);
}
