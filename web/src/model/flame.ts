// A merged profile as a tree in typed arrays, and walking in it. Nodes are in depth-first order, so a subtree is the
// run [node, end[node]) and needs no child lists. All pure.
import type { FlameColumns } from '../api/shapes';

export interface Flame extends FlameColumns {
  /** How many nodes. */
  size: number;
  /** Levels in use: the deepest + 1. */
  depth: number;
  parent: Int32Array;
  /** One past the last node of the subtree. */
  end: Int32Array;
  /** Where the node begins, in the profile's unit: its parent's start plus its earlier siblings' values. */
  start: Float64Array;
  /** The function of each node: same name, file and line is the same function. */
  fn: Int32Array;
  functions: Functions;
  /** Nodes of level l from left to right: byLevel[levelFrom[l]] … byLevel[levelFrom[l + 1] - 1]. */
  byLevel: Int32Array;
  levelFrom: Int32Array;
  /** Names of the nodes in addresses, in two halves (below). */
  hashes: readonly [Uint32Array, Uint32Array];
}

export interface Functions {
  count: number;
  name: Int32Array;
  file: Int32Array;
  line: Int32Array;
}

/** Reads a typed array where the index is known to be inside (readFlame checked the columns). */
export function at(column: Int32Array | Uint32Array | Float64Array | Float32Array | Uint8Array, index: number): number {
  return column[index] as number;
}

function numberFunctions(flame: FlameColumns): { fn: Int32Array; functions: Functions } {
  const size = flame.level.length;
  const fn = new Int32Array(size);
  const known = new Map<number, Map<number, number>>();
  const names: number[] = [];
  const files: number[] = [];
  const lines: number[] = [];
  const wide = Math.max(1, flame.files.length);
  for (let i = 0; i < size; i++) {
    const [name, file, line] = [at(flame.name, i), at(flame.file, i), at(flame.line, i)];
    const key = name * wide + file;
    let byLine = known.get(key);
    if (!byLine) {
      byLine = new Map();
      known.set(key, byLine);
    }
    let id = byLine.get(line);
    if (id === undefined) {
      id = names.length;
      byLine.set(line, id);
      names.push(name);
      files.push(file);
      lines.push(line);
    }
    fn[i] = id;
  }
  return {
    fn,
    functions: {
      count: names.length,
      name: Int32Array.from(names),
      file: Int32Array.from(files),
      line: Int32Array.from(lines),
    },
  };
}

function orderByLevel(level: Int32Array, depth: number): { byLevel: Int32Array; levelFrom: Int32Array } {
  const levelFrom = new Int32Array(depth + 1);
  for (let i = 0; i < level.length; i++) levelFrom[at(level, i) + 1] = at(levelFrom, at(level, i) + 1) + 1;
  for (let l = 0; l < depth; l++) levelFrom[l + 1] = at(levelFrom, l + 1) + at(levelFrom, l);
  const next = levelFrom.slice();
  const byLevel = new Int32Array(level.length);
  for (let i = 0; i < level.length; i++) {
    const l = at(level, i);
    byLevel[at(next, l)] = i;
    next[l] = at(next, l) + 1;
  }
  return { byLevel, levelFrom };
}

export function buildFlame(columns: FlameColumns): Flame {
  const size = columns.level.length;
  const parent = new Int32Array(size).fill(-1);
  const end = new Int32Array(size).fill(size);
  const start = new Float64Array(size);
  const open: number[] = []; // the path from the root to the node before, one a level
  const filled: number[] = []; // where the next child of each open node begins
  let depth = 0;
  for (let i = 0; i < size; i++) {
    const level = at(columns.level, i);
    for (let l = level; l < open.length; l++) end[open[l] as number] = i;
    open.length = level;
    if (level > 0) {
      parent[i] = open[level - 1] as number;
      start[i] = filled[level - 1] as number;
      filled[level - 1] = at(start, i) + at(columns.value, i);
    }
    open[level] = i;
    filled[level] = at(start, i);
    depth = Math.max(depth, level + 1);
  }
  const byLevel = orderByLevel(columns.level, depth);
  const flame = { ...columns, size, depth, parent, end, start, ...numberFunctions(columns), ...byLevel };
  return { ...flame, hashes: [pathHashes(flame, seeds[0]), pathHashes(flame, seeds[1])] };
}

export interface FrameText {
  name: string;
  /** `path:line`, or the path alone, or empty for frames without a file. */
  place: string;
  file: string;
}

export function functionText(flame: Flame, fn: number): FrameText {
  const file = flame.files[at(flame.functions.file, fn)] ?? '';
  const line = at(flame.functions.line, fn);
  return {
    name: flame.names[at(flame.functions.name, fn)] ?? '',
    file,
    place: file && line > 0 ? `${file}:${line}` : file,
  };
}

export function frameText(flame: Flame, node: number): FrameText {
  return functionText(flame, at(flame.fn, node));
}

/** From the root to the node, both included. */
export function pathTo(flame: Flame, node: number): number[] {
  const path: number[] = [];
  for (let n = node; n >= 0; n = at(flame.parent, n)) path.push(n);
  return path.reverse();
}

export function childrenOf(flame: Flame, node: number): number[] {
  const children: number[] = [];
  for (let n = node + 1; n < at(flame.end, node); n = at(flame.end, n)) children.push(n);
  return children;
}

export function contains(flame: Flame, ancestor: number, node: number): boolean {
  return node >= ancestor && node < at(flame.end, ancestor);
}

export type Step = 'up' | 'down' | 'left' | 'right';

/** Where an arrow key leads: up to the parent, down to the widest child, left and right on the same level inside
 *  `root`. The node itself where there is nothing. */
export function stepFrom(flame: Flame, root: number, node: number, step: Step): number {
  if (step === 'up') return node === 0 ? 0 : at(flame.parent, node);
  if (step === 'down') {
    let widest = node;
    let width = -1;
    for (const child of childrenOf(flame, node))
      if (at(flame.value, child) > width) {
        widest = child;
        width = at(flame.value, child);
      }
    return widest;
  }
  const level = at(flame.level, node);
  const position = positionOf(flame, level, node) + (step === 'left' ? -1 : 1);
  if (position < at(flame.levelFrom, level) || position >= at(flame.levelFrom, level + 1)) return node;
  const next = at(flame.byLevel, position);
  return contains(flame, root, next) ? next : node;
}

/** The position in byLevel of `node`, which is on that level. */
function positionOf(flame: Flame, level: number, node: number): number {
  let low = at(flame.levelFrom, level);
  let high = at(flame.levelFrom, level + 1);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(flame.byLevel, middle) < node) low = middle + 1;
    else high = middle;
  }
  return low;
}

// --- names for the address bar -------------------------------------------------------------------------------------
// A frame's name in the URL is a hash of its path's functions, so that it survives a refresh and means the same frame
// on somebody else's screen. 2 × 32 bits: among 50,000 nodes a clash has odds of 1 to 10¹⁰.

function mix(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hashText(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

const seeds = [0x811c9dc5, 0x2f0b4c47] as const;
const digits = 7; // base 36, enough for 32 bits

function spell(a: number, b: number): string {
  return a.toString(36).padStart(digits, '0') + b.toString(36).padStart(digits, '0');
}

function unspell(key: string): [number, number] {
  return [Number.parseInt(key.slice(0, digits), 36), Number.parseInt(key.slice(digits), 36)];
}

function functionHashes(flame: Omit<Flame, 'hashes'>, seed: number): Uint32Array {
  const names = flame.names.map((name) => hashText(name, seed));
  const files = flame.files.map((file) => hashText(file, seed));
  const { functions } = flame;
  return Uint32Array.from({ length: functions.count }, (_, fn) => {
    const place = mix(files[at(functions.file, fn)] as number, at(functions.line, fn));
    return mix(names[at(functions.name, fn)] as number, place);
  });
}

/** Of each node: the hash of the functions on its path. */
function pathHashes(flame: Omit<Flame, 'hashes'>, seed: number): Uint32Array {
  const functions = functionHashes(flame, seed);
  const hashes = new Uint32Array(flame.size);
  for (let i = 0; i < flame.size; i++) {
    const up = at(flame.parent, i);
    hashes[i] = mix(up < 0 ? seed : at(hashes, up), at(functions, at(flame.fn, i)));
  }
  return hashes;
}

export function frameKey(flame: Flame, node: number): string {
  return spell(at(flame.hashes[0], node), at(flame.hashes[1], node));
}

export function frameByKey(flame: Flame, key: string): number | null {
  const [a, b] = unspell(key);
  for (let i = 0; i < flame.size; i++) if (flame.hashes[0][i] === a && flame.hashes[1][i] === b) return i;
  return null;
}

export function functionKey(flame: Flame, fn: number): string {
  return spell(at(functionHashes(flame, seeds[0]), fn), at(functionHashes(flame, seeds[1]), fn));
}

export function functionByKey(flame: Flame, key: string): number | null {
  const [wantedA, wantedB] = unspell(key);
  const [a, b] = [functionHashes(flame, seeds[0]), functionHashes(flame, seeds[1])];
  for (let fn = 0; fn < flame.functions.count; fn++) if (a[fn] === wantedA && b[fn] === wantedB) return fn;
  return null;
}
