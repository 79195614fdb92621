// A small profile for tests: the stacks are written, the columns and the truth follow.
import type { FlameColumns } from '../api/shapes';

interface Node {
  self: number;
  children: Map<string, Node>;
}

/** `{ 'main;work;inner': 5 }`: root first, self values. A frame is `name`, `name@file` or `name@file:line`. */
export function sampleColumns(stacks: Readonly<Record<string, number>>): FlameColumns {
  const root: Node = { self: 0, children: new Map() };
  for (const [stack, value] of Object.entries(stacks)) {
    let node = root;
    for (const frame of stack.split(';')) {
      const child = node.children.get(frame) ?? { self: 0, children: new Map() };
      node.children.set(frame, child);
      node = child;
    }
    node.self += value;
  }
  const names = new Map<string, number>();
  const files = new Map<string, number>([['', 0]]);
  const index = (map: Map<string, number>, key: string) => {
    const known = map.get(key) ?? map.size;
    map.set(key, known);
    return known;
  };
  const [level, name, file, line, value, self]: number[][] = [[], [], [], [], [], []];
  const walk = (node: Node, frame: string, depth: number): number => {
    const [fn = '', place = ''] = frame.split('@');
    const [path = '', at = '0'] = place.split(':');
    const i = level?.length ?? 0;
    level?.push(depth);
    name?.push(index(names, fn));
    file?.push(index(files, path));
    line?.push(Number(at));
    self?.push(node.self);
    value?.push(0);
    let sum = node.self;
    for (const key of [...node.children.keys()].sort()) {
      const child = node.children.get(key);
      if (child) sum += walk(child, key, depth + 1);
    }
    if (value) value[i] = sum;
    return sum;
  };
  const total = walk(root, 'all', 0);
  return {
    type: 'cpu-time',
    unit: 'nanoseconds',
    from: '',
    to: '',
    profiles: 1,
    duration_ns: 1,
    total,
    types: [],
    names: [...names.keys()],
    files: [...files.keys()],
    level: Int32Array.from(level ?? []),
    name: Int32Array.from(name ?? []),
    file: Int32Array.from(file ?? []),
    line: Int32Array.from(line ?? []),
    value: Float64Array.from(value ?? []),
    self: Float64Array.from(self ?? []),
    pruned: { nodes: 0, value: 0 },
    internal: {},
  };
}
