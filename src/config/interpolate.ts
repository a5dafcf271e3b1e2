// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in the file look like placeholders
import { resolve } from 'node:path';

/** Where `${env:NAME}` and `${file:PATH}` take their values from. */
export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly folder: string;
  /** Reads a file as text; throws when it cannot. */
  readonly readFile: (path: string) => string;
}

/** A string with its references replaced. */
export interface Interpolated {
  /** Undefined when a reference could not be replaced. */
  readonly value: string | undefined;
  readonly faults: readonly string[];
  /** Absolute paths of the files that were asked for, found or not. */
  readonly files: readonly string[];
}

const REFERENCE = /\$\$\{|\$\{(?:(env|file):([^}]*)\}|)/g;

/**
 * Replaces `${env:NAME}` and `${file:PATH}` in a string; `$${` stands for a plain `${`. What is put in is
 * not looked at again, so a secret may hold anything. Faults name variables and paths, never values.
 */
export function interpolate(text: string, sources: Sources): Interpolated {
  const faults: string[] = [];
  const files: string[] = [];
  const value = text.replaceAll(REFERENCE, (match, kind: string | undefined, name: string | undefined) => {
    if (match === '$${') return '${';
    if (kind === undefined || name === undefined) {
      faults.push('"${" must begin ${env:NAME} or ${file:PATH}; a plain "${" is written "$${"');
      return '';
    }
    if (name === '') {
      faults.push(kind === 'env' ? '${env:} names no variable' : '${file:} names no file');
      return '';
    }
    if (kind === 'env') {
      const found = Object.hasOwn(sources.env, name) ? sources.env[name] : undefined;
      if (found === undefined) faults.push(`the environment variable ${name} is not set`);
      return found ?? '';
    }
    const path = resolve(sources.folder, name);
    files.push(path);
    try {
      return withoutTrailingNewline(sources.readFile(path));
    } catch (error) {
      faults.push(`the file ${path} cannot be read: ${reasonOf(error)}`);
      return '';
    }
  });
  return { value: faults.length === 0 ? value : undefined, faults, files };
}

/** Writes a string so that `interpolate` gives it back unchanged. */
export function escapeReferences(text: string): string {
  return text.replaceAll('${', () => '$${');
}

/** Why a file cannot be read, in words. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'ENOTDIR') return 'a part of its path is a file and no folder';
  return code ?? 'reading failed';
}

/** Editors and `echo` end a file with a newline that is no part of the secret in it. */
function withoutTrailingNewline(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\r?\n$/, '');
}
