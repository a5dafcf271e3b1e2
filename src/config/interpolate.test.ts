// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references look like placeholders
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeReferences, interpolate } from './interpolate.ts';

const files: Readonly<Record<string, string>> = {
  '/etc/bridge/seal.key': 'sealed\n',
  '/run/secrets/two': 'line one\r\nline two\r\n',
  '/run/bom': '\uFEFFvalue',
};

function run(text: string, env: Record<string, string> = { A: 'alpha', EMPTY: '', ODD: '${env:A}' }) {
  return interpolate(text, {
    env,
    folder: '/etc/bridge',
    readFile(path) {
      const found = files[path];
      if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return found;
    },
  });
}

describe('interpolate', () => {
  test.each([
    ['nothing to do', 'nothing to do'],
    ['${env:A}', 'alpha'],
    ['<${env:A}-${env:A}>', '<alpha-alpha>'],
    ['${env:EMPTY}', ''],
    ['$${env:A}', '${env:A}'],
    ['$ {env:A} $x {y}', '$ {env:A} $x {y}'],
    ['${file:seal.key}', 'sealed'],
    ['${file:./seal.key}', 'sealed'],
    ['${file:/run/secrets/two}', 'line one\r\nline two'],
    ['${file:/run/bom}', 'value'],
    ['${env:A}${file:seal.key}', 'alphasealed'],
  ])('%s becomes %s', (text, value) => {
    expect(run(text)).toMatchObject({ value, faults: [] });
  });

  test('what is put in is not looked at again', () => {
    expect(run('${env:ODD}').value).toBe('${env:A}');
  });

  test.each([
    ['${env:NONE}', 'the environment variable NONE is not set'],
    ['${env:toString}', 'the environment variable toString is not set'],
    ['${file:none}', 'the file /etc/bridge/none cannot be read: there is no such file'],
    ['${env:}', '${env:} names no variable'],
    ['${file:}', '${file:} names no file'],
    ['${A}', '"${" must begin ${env:NAME} or ${file:PATH}; a plain "${" is written "$${"'],
    ['${env:A', '"${" must begin ${env:NAME} or ${file:PATH}; a plain "${" is written "$${"'],
  ])('%s is a fault', (text, fault) => {
    expect(run(text)).toMatchObject({ value: undefined, faults: [fault] });
  });

  test('every failed reference of a string is reported', () => {
    expect(run('${env:X}${file:y}').faults).toHaveLength(2);
  });

  test('names the files it asked for, found or not', () => {
    expect(run('${file:seal.key}${file:none}').files).toEqual(['/etc/bridge/seal.key', '/etc/bridge/none']);
  });

  const piece = fc.oneof(fc.string(), fc.constantFrom('$', '{', '}', '${', '$${', 'env:A', '${env:A}'));
  const texts = fc.array(piece).map(pieces => pieces.join(''));

  test('escaping and interpolating gives any text back', () => {
    fc.assert(
      fc.property(texts, text => {
        expect(run(escapeReferences(text))).toEqual({ value: text, faults: [], files: [] });
      }),
    );
  });

  test('a variable comes through unchanged between any escaped texts', () => {
    fc.assert(
      fc.property(texts, texts, texts, (before, value, after) => {
        // A "$" right before a reference would escape it, which is what "$${" is for.
        fc.pre(!before.endsWith('$'));
        const text = `${escapeReferences(before)}\${env:V}${escapeReferences(after)}`;
        expect(run(text, { V: value }).value).toBe(`${before}${value}${after}`);
      }),
    );
  });
});
