// Searching the frames of a flame graph by a regular expression over function names and files.
import { at, type Flame } from './flame';

export interface Matcher {
  test: (text: string) => boolean;
  /** Why the pattern is taken literally, or empty. */
  note: string;
}

/** Case is ignored unless the pattern has a capital letter. A pattern that is no regular expression is taken literally. */
export function matcher(pattern: string): Matcher | null {
  if (pattern === '') return null;
  const flags = /\p{Lu}/u.test(pattern) ? 'u' : 'iu';
  try {
    const expression = new RegExp(pattern, flags);
    return { test: (text) => expression.test(text), note: '' };
  } catch {
    const literal = new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), flags);
    return { test: (text) => literal.test(text), note: 'not a regular expression: taken literally' };
  }
}

export interface Found {
  /** 1 for each function that matches. */
  functions: Uint8Array;
  functionCount: number;
  frameCount: number;
  /** What runs through a matching frame, each nanosecond (or byte) counted once, inside the root asked for. */
  value: number;
  /** matchesBefore[p]: matching nodes among byLevel[0 … p - 1]; a run of boxes asks it in O(1). */
  matchesBefore: Int32Array;
}

export function find(flame: Flame, match: Matcher, root: number): Found {
  const names = Uint8Array.from(flame.names, (name) => (match.test(name) ? 1 : 0));
  const files = Uint8Array.from(flame.files, (file) => (file !== '' && match.test(file) ? 1 : 0));
  const functions = new Uint8Array(flame.functions.count);
  let functionCount = 0;
  for (let fn = 0; fn < functions.length; fn++) {
    functions[fn] = at(names, at(flame.functions.name, fn)) | at(files, at(flame.functions.file, fn));
    functionCount += at(functions, fn);
  }
  if (flame.size > 0 && at(functions, at(flame.fn, 0))) {
    functions[at(flame.fn, 0)] = 0; // the root stands for everything and is no frame
    functionCount--;
  }
  let value = 0;
  let frameCount = 0;
  let covered = root; // nodes before this one lie under a match that was counted
  for (let node = root; node < at(flame.end, root); node++) {
    if (!at(functions, at(flame.fn, node))) continue;
    frameCount++;
    if (node < covered) continue;
    value += at(flame.value, node);
    covered = at(flame.end, node);
  }
  const matchesBefore = new Int32Array(flame.size + 1);
  for (let p = 0; p < flame.size; p++)
    matchesBefore[p + 1] = at(matchesBefore, p) + at(functions, at(flame.fn, at(flame.byLevel, p)));
  return { functions, functionCount, frameCount, value, matchesBefore };
}
