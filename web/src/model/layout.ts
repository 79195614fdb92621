// Which boxes a flame graph shows in a window of given width: root on top, one row a level. Neighbours too narrow to be
// seen alone become one box (a run) as wide as what they hold together, so a tower of tiny frames neither vanishes nor
// turns into a solid wall, and the work done is bounded by the pixels, not by the nodes.
import { at, type Flame } from './flame';

/** Boxes in struct-of-arrays form, reused from frame to frame. */
export interface Boxes {
  count: number;
  /** The node, or the first node of a run. */
  node: Int32Array;
  /** Position in flame.byLevel one past the last node of the run; for a single node its own position + 1. */
  until: Int32Array;
  /** Position in flame.byLevel of `node`. */
  from: Int32Array;
  x: Float32Array;
  width: Float32Array;
}

export interface Window {
  /** The zoomed node fills the width; its ancestors lie above it, cut to the width. */
  root: number;
  width: number;
  levelFrom: number;
  levelTo: number;
}

/** Boxes narrower than this many pixels join a run. */
const thin = 1;

export function newBoxes(): Boxes {
  return sized(4096);
}

function sized(capacity: number): Boxes {
  return {
    count: 0,
    node: new Int32Array(capacity),
    until: new Int32Array(capacity),
    from: new Int32Array(capacity),
    x: new Float32Array(capacity),
    width: new Float32Array(capacity),
  };
}

function grown(boxes: Boxes): Boxes {
  const next = sized(boxes.node.length * 2);
  next.count = boxes.count;
  for (const name of ['node', 'until', 'from', 'x', 'width'] as const) next[name].set(boxes[name]);
  return next;
}

/** The first position of the level whose node ends after `unit`. */
export function firstEndingAfter(flame: Flame, level: number, unit: number, fromPosition: number): number {
  let low = Math.max(fromPosition, at(flame.levelFrom, level));
  let high = at(flame.levelFrom, level + 1);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const node = at(flame.byLevel, middle);
    if (at(flame.start, node) + at(flame.value, node) <= unit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Lays out the levels of the window into `boxes` (which may be replaced by a larger one: use what is returned). */
export function layout(flame: Flame, window: Window, boxes: Boxes): Boxes {
  let out = boxes;
  out.count = 0;
  const left = at(flame.start, window.root);
  const span = at(flame.value, window.root);
  if (span <= 0 || window.width <= 0) return out;
  const scale = window.width / span;
  const right = left + span;
  for (let level = window.levelFrom; level < Math.min(window.levelTo, flame.depth); level++) {
    const stop = at(flame.levelFrom, level + 1);
    let position = firstEndingAfter(flame, level, left, 0);
    while (position < stop) {
      const node = at(flame.byLevel, position);
      const start = at(flame.start, node);
      if (start >= right) break;
      const x = Math.max(0, (start - left) * scale);
      let end = Math.min(window.width, (start + at(flame.value, node) - left) * scale);
      let next = position + 1;
      if (end - x < thin) {
        next = firstEndingAfter(flame, level, left + (x + thin) / scale, next);
        const last = at(flame.byLevel, next - 1);
        end = Math.min(window.width, Math.max(end, (at(flame.start, last) + at(flame.value, last) - left) * scale));
      }
      if (out.count === out.node.length) out = grown(out);
      out.node[out.count] = node;
      out.from[out.count] = position;
      out.until[out.count] = next;
      out.x[out.count] = x;
      out.width[out.count] = end - x;
      out.count++;
      position = next;
    }
  }
  return out;
}

/** The node under a point, or null beside the flames. */
export function nodeAt(flame: Flame, root: number, width: number, x: number, level: number): number | null {
  if (level < 0 || level >= flame.depth || x < 0 || x >= width) return null;
  const unit = at(flame.start, root) + (x / width) * at(flame.value, root);
  const position = firstEndingAfter(flame, level, unit, 0);
  if (position >= at(flame.levelFrom, level + 1)) return null;
  const node = at(flame.byLevel, position);
  return at(flame.start, node) <= unit ? node : null;
}
