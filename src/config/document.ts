import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { ConfigFault, ConfigPath, PathFault } from './faults.ts';
import { pathText } from './faults.ts';

/** A parsed configuration file that remembers where everything stands. */
export interface ConfigDocument {
  /** Undefined when the text holds no value at all. */
  readonly root: Node | undefined;
  /** What makes the text no JSON, even with comments and trailing commas. */
  readonly syntaxFaults: readonly ConfigFault[];
  /** Gives a fault its line and column. A path that leads nowhere is placed at the nearest thing around it. */
  locate(fault: PathFault): ConfigFault;
}

/** Words for what jsonc-parser reports. They never quote the text, which may hold a secret. */
const SYNTAX_MESSAGES: Readonly<Record<string, string>> = {
  InvalidSymbol: 'not a value; strings need double quotes',
  InvalidNumberFormat: 'not a number',
  PropertyNameExpected: 'a key in double quotes is expected',
  ValueExpected: 'a value is expected',
  ColonExpected: '":" is expected',
  CommaExpected: '"," is expected',
  CloseBraceExpected: '"}" is expected',
  CloseBracketExpected: '"]" is expected',
  EndOfFileExpected: 'nothing more is expected after the value',
  InvalidCommentToken: 'a comment begins with "//" or "/*"',
  UnexpectedEndOfComment: 'the comment is not closed',
  UnexpectedEndOfString: 'the string is not closed on its line',
  UnexpectedEndOfNumber: 'the number is not complete',
  InvalidUnicode: 'the \\u escape needs four hex digits',
  InvalidEscapeCharacter: 'no such escape; a backslash itself is written "\\\\"',
  InvalidCharacter: 'a character that must be escaped',
};

/** Parses JSON with comments and trailing commas. */
export function parseDocument(source: string): ConfigDocument {
  // Some editors begin a file with a byte order mark, which no JSON parser takes.
  const text = source.replace(/^\uFEFF/, '');
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false });
  const positionOf = createPositions(text);

  return {
    root,
    syntaxFaults: errors.map(({ error, offset }) => ({
      path: '',
      ...positionOf(offset),
      message: SYNTAX_MESSAGES[printParseErrorCode(error)] ?? 'not JSON',
    })),
    locate({ path, message, at, offset }) {
      return { path: pathText(path), ...positionOf(offset ?? offsetOf(root, path, at)), message };
    },
  };
}

function offsetOf(root: Node | undefined, path: ConfigPath, at: PathFault['at']): number {
  if (root === undefined) return 0;
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    if (node === undefined) continue;
    const wantsKey = at === 'key' && length === path.length && node.parent?.type === 'property';
    return wantsKey ? (node.parent?.offset ?? node.offset) : node.offset;
  }
  return root.offset;
}

function createPositions(text: string): (offset: number) => { line: number; column: number } {
  const lineStarts = [0];
  for (const { index, 0: lineBreak } of text.matchAll(/\r\n|\n|\r/g))
    lineStarts.push(index + lineBreak.length);
  return offset => {
    let [low, high] = [0, lineStarts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
  };
}
