import { DecodeError } from './decode-error.ts';
import type { DecodedBody } from './decoded-body.ts';

/**
 * JSON with the paths of keys that stand twice. JSON.parse cannot say that, so a duplicate is looked for by a small scanner
 * of our own, only over text that JSON.parse has already accepted.
 */
export function parseJsonStrict(text: string): DecodedBody {
  if (text.trim() === '') throw new DecodeError('BadRequest', 'the body of the request is empty; an object is expected');
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch (cause) {
    throw new DecodeError('BadRequest', `the body of the request is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  return { object, duplicates: duplicateKeys(text) };
}

type Frame = { keys: Set<string> | undefined; path: string; index: number; key: string };

const [QUOTE, BACKSLASH, COLON, COMMA, OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = ['"', '\\', ':', ',', '{', '}', '[', ']'].map((character) => character.charCodeAt(0));
const SPACE = 0x20;

/** Paths (`spec.ports[0].name`) of keys that stand more than once in one object. The text must be valid JSON. */
function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const stack: Frame[] = [];
  let frame: Frame | undefined;
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      const end = endOfString(text, position);
      // A string followed by a colon is a key: strings cannot be followed by one anywhere else.
      if (frame?.keys !== undefined && text.charCodeAt(skipSpace(text, end)) === COLON) noteKey(frame, keyText(text.slice(position, end)), found);
      position = end - 1;
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      stack.push((frame = { keys: code === OPEN_OBJECT ? new Set() : undefined, path: childPath(frame), index: 0, key: '' }));
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      stack.pop();
      frame = stack.at(-1);
    } else if (code === COMMA && frame !== undefined) {
      frame.index++;
    }
  }
  return found;
}

function noteKey(frame: Frame, key: string, found: string[]): void {
  if (frame.keys?.has(key) === true) found.push(pathOf(frame.path, key));
  frame.keys?.add(key);
  frame.key = key;
}

function keyText(quoted: string): string {
  return quoted.includes('\\') ? JSON.parse(quoted) as string : quoted.slice(1, -1);
}

function childPath(parent: Frame | undefined): string {
  if (parent === undefined) return '';
  return parent.keys === undefined ? `${parent.path}[${parent.index}]` : pathOf(parent.path, parent.key);
}

function pathOf(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** The position behind the closing quote: the next quote before which an even number of backslashes stands. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

function skipSpace(text: string, start: number): number {
  let position = start;
  // Tab, line feed, carriage return and space are all the white space that JSON knows.
  while (text.charCodeAt(position) <= SPACE) position++;
  return position;
}
