import { describe, expect, test } from 'vitest';
import { at, buildFlame, childrenOf, type Flame } from './flame';
import { layout, newBoxes, nodeAt } from './layout';
import { sampleColumns } from './sample';

function boxesOf(flame: Flame, root: number, width: number) {
  const boxes = layout(flame, { root, width, levelFrom: 0, levelTo: flame.depth }, newBoxes());
  return Array.from({ length: boxes.count }, (_, i) => ({
    node: at(boxes.node, i),
    level: at(flame.level, at(boxes.node, i)),
    count: at(boxes.until, i) - at(boxes.from, i),
    x: at(boxes.x, i),
    width: at(boxes.width, i),
  }));
}

describe('layout', () => {
  const flame = buildFlame(sampleColumns({ 'a;b': 50, 'a;c': 25, d: 25 }));

  test('boxes are as wide as their values', () => {
    expect(boxesOf(flame, 0, 200).map(({ x, width }) => [x, width])).toEqual([
      [0, 200],
      [0, 150],
      [150, 50],
      [0, 100],
      [100, 50],
    ]);
  });

  test('a zoomed frame fills the width, below its ancestors cut to the width', () => {
    const [a] = childrenOf(flame, 0);
    expect(boxesOf(flame, a ?? 0, 150).map(({ level, x, width }) => [level, x, width])).toEqual([
      [0, 0, 150],
      [1, 0, 150],
      [2, 0, 100],
      [2, 100, 50],
    ]);
  });

  test('only the levels asked for are laid out', () => {
    const boxes = layout(flame, { root: 0, width: 100, levelFrom: 1, levelTo: 2 }, newBoxes());
    expect(boxes.count).toBe(2);
  });

  test('nothing is drawn of nothing', () => {
    expect(boxesOf(buildFlame(sampleColumns({})), 0, 100)).toEqual([]);
    expect(boxesOf(flame, 0, 0)).toEqual([]);
  });
});

describe('towers too narrow to see', () => {
  const stacks: Record<string, number> = { zz_wide: 1000 };
  for (let i = 0; i < 5000; i++) stacks[`n${String(i).padStart(4, '0')};deep`] = 1;
  const flame = buildFlame(sampleColumns(stacks));
  const boxes = boxesOf(flame, 0, 600);

  test('join into blocks, and none is lost', () => {
    for (const level of [1, 2]) {
      const row = boxes.filter((box) => box.level === level);
      expect(row.reduce((sum, box) => sum + box.count, 0)).toBe(level === 1 ? 5001 : 5000);
      expect(row.length).toBeLessThanOrEqual(601);
      expect(row.filter((box) => box.count > 1).reduce((sum, box) => sum + box.width, 0)).toBeGreaterThan(490);
    }
  });

  test('are found under the pointer one by one', () => {
    const hit = nodeAt(flame, 0, 600, 100.5, 1);
    expect(hit).not.toBeNull();
    const unit = (100.5 / 600) * flame.total;
    expect(at(flame.start, hit ?? 0)).toBeLessThanOrEqual(unit);
    expect(at(flame.start, hit ?? 0) + at(flame.value, hit ?? 0)).toBeGreaterThan(unit);
  });
});

test('beside the flames there is no node', () => {
  const flame = buildFlame(sampleColumns({ a: 50, 'b;c': 10, b: 40 }));
  expect(nodeAt(flame, 0, 100, 75, 2)).toBeNull();
  expect(nodeAt(flame, 0, 100, 55, 2)).not.toBeNull();
  expect(nodeAt(flame, 0, 100, 10, 2)).toBeNull();
  expect(nodeAt(flame, 0, 100, 10, 9)).toBeNull();
  expect(nodeAt(flame, 0, 100, -1, 0)).toBeNull();
});
