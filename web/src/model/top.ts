// The top table: self and total of each function inside a subtree.
import { at, type Flame } from './flame';

export interface TopRow {
  fn: number;
  self: number;
  /** Time with the function anywhere on the stack; a recursive function counts once. */
  total: number;
}

export function top(flame: Flame, root: number): TopRow[] {
  const { count } = flame.functions;
  const self = new Float64Array(count);
  const total = new Float64Array(count);
  // While walking in depth-first order: up to which node the outermost open frame of each function reaches.
  const openUntil = new Int32Array(count);
  for (let node = root; node < at(flame.end, root); node++) {
    const fn = at(flame.fn, node);
    self[fn] = at(self, fn) + at(flame.self, node);
    if (node < at(openUntil, fn)) continue;
    total[fn] = at(total, fn) + at(flame.value, node);
    openUntil[fn] = at(flame.end, node);
  }
  const everything = flame.size > 0 ? at(flame.fn, 0) : -1;
  const rows: TopRow[] = [];
  for (let fn = 0; fn < count; fn++)
    if (fn !== everything && (at(total, fn) > 0 || at(self, fn) > 0))
      rows.push({ fn, self: at(self, fn), total: at(total, fn) });
  return rows;
}
