import { describe, expect, test } from 'vitest';
import { find, matcher } from './find';
import {
  buildFlame,
  childrenOf,
  type Flame,
  frameByKey,
  frameKey,
  frameText,
  functionByKey,
  functionKey,
  pathTo,
  stepFrom,
} from './flame';
import { sampleColumns } from './sample';
import { top } from './top';

const flame = buildFlame(
  sampleColumns({
    'main@app.py:1': 10,
    'main@app.py:1;work@app.py:5': 20,
    'main@app.py:1;work@app.py:5;inner@lib.py:9': 30,
    'main@app.py:1;idle@app.py:7': 15,
    'other@app.py:3;work@app.py:5': 25,
  }),
);

function node(of: Flame, ...path: string[]): number {
  let current = 0;
  for (const name of path) {
    const next = childrenOf(of, current).find((child) => frameText(of, child).name === name);
    if (next === undefined) throw new Error(`no ${name}`);
    current = next;
  }
  return current;
}

describe('the tree', () => {
  test('children, parents and paths fit together', () => {
    expect(flame.size).toBe(7);
    expect(flame.depth).toBe(4);
    expect(childrenOf(flame, 0).map((n) => frameText(flame, n).name)).toEqual(['main', 'other']);
    const inner = node(flame, 'main', 'work', 'inner');
    expect(pathTo(flame, inner).map((n) => frameText(flame, n).name)).toEqual(['all', 'main', 'work', 'inner']);
    expect(frameText(flame, inner).place).toBe('lib.py:9');
  });

  test('each node begins where its earlier siblings end', () => {
    expect(flame.start[node(flame, 'main')]).toBe(0);
    expect(flame.start[node(flame, 'main', 'work')]).toBe(15); // after idle
    expect(flame.start[node(flame, 'other')]).toBe(75);
    expect(flame.start[node(flame, 'other', 'work')]).toBe(75);
  });

  test('a level lists its nodes from left to right', () => {
    const level = Array.from(flame.byLevel.slice(flame.levelFrom[2], flame.levelFrom[3]));
    expect(level.map((n) => frameText(flame, n).name)).toEqual(['idle', 'work', 'work']);
  });

  test('an empty profile is a root', () => {
    const empty = buildFlame(sampleColumns({}));
    expect([empty.size, empty.depth, top(empty, 0)]).toEqual([1, 1, []]);
  });
});

describe('walking by arrow keys', () => {
  test('down goes to the heaviest child, up to the parent', () => {
    expect(stepFrom(flame, 0, 0, 'down')).toBe(node(flame, 'main'));
    expect(stepFrom(flame, 0, node(flame, 'main'), 'down')).toBe(node(flame, 'main', 'work'));
    expect(stepFrom(flame, 0, node(flame, 'main'), 'up')).toBe(0);
    expect(stepFrom(flame, 0, 0, 'up')).toBe(0);
  });

  test('left and right stay on the level and inside the zoom', () => {
    const work = node(flame, 'main', 'work');
    expect(stepFrom(flame, 0, work, 'left')).toBe(node(flame, 'main', 'idle'));
    expect(stepFrom(flame, 0, work, 'right')).toBe(node(flame, 'other', 'work'));
    expect(stepFrom(flame, node(flame, 'main'), work, 'right')).toBe(work);
    expect(stepFrom(flame, 0, node(flame, 'main', 'idle'), 'left')).toBe(node(flame, 'main', 'idle'));
  });
});

describe('keys for the address bar', () => {
  test('every frame and function is found again, also in another profile', () => {
    const later = buildFlame(
      sampleColumns({
        'aaa@new.py:1': 1,
        'main@app.py:1;work@app.py:5;inner@lib.py:9': 7,
        'other@app.py:3': 1,
      }),
    );
    for (let n = 0; n < flame.size; n++) expect(frameByKey(flame, frameKey(flame, n))).toBe(n);
    for (let fn = 0; fn < flame.functions.count; fn++) expect(functionByKey(flame, functionKey(flame, fn))).toBe(fn);
    const inner = frameKey(flame, node(flame, 'main', 'work', 'inner'));
    expect(frameByKey(later, inner)).toBe(node(later, 'main', 'work', 'inner'));
    expect(frameByKey(later, frameKey(flame, node(flame, 'main', 'idle')))).toBeNull();
  });

  test('equal functions on different paths have different keys', () => {
    const [one, two] = [node(flame, 'main', 'work'), node(flame, 'other', 'work')];
    expect(flame.fn[one]).toBe(flame.fn[two]);
    expect(frameKey(flame, one)).not.toBe(frameKey(flame, two));
  });

  test('nonsense is no key', () => {
    expect(frameByKey(flame, 'nonsense')).toBeNull();
    expect(frameByKey(flame, '')).toBeNull();
    expect(functionByKey(flame, '!')).toBeNull();
  });
});

describe('the top table', () => {
  const rows = (root: number) =>
    Object.fromEntries(
      top(flame, root).map((row) => [flame.names[flame.functions.name[row.fn] ?? 0], [row.self, row.total]]),
    );

  test('adds a function over all its paths', () => {
    expect(rows(0)).toEqual({ main: [10, 75], work: [45, 75], inner: [30, 30], idle: [15, 15], other: [0, 25] });
  });

  test('looks only inside the zoom', () => {
    expect(rows(node(flame, 'main'))).toEqual({ main: [10, 75], work: [20, 50], inner: [30, 30], idle: [15, 15] });
  });

  test('counts a recursive function once', () => {
    const deep = buildFlame(sampleColumns({ 'f;f;f': 5, 'f;g;f': 3, g: 2 }));
    const byName = Object.fromEntries(top(deep, 0).map((row) => [deep.names[deep.functions.name[row.fn] ?? 0], row]));
    expect([byName.f?.self, byName.f?.total]).toEqual([8, 8]);
    expect([byName.g?.self, byName.g?.total]).toEqual([2, 5]);
  });
});

describe('searching frames', () => {
  const search = (pattern: string, root = 0) => {
    const match = matcher(pattern);
    if (!match) throw new Error('no pattern');
    return find(flame, match, root);
  };

  test('counts what runs through a match once', () => {
    expect(search('work|inner').value).toBe(75);
    expect(search('work|inner').functionCount).toBe(2);
    expect(search('work|inner').frameCount).toBe(3);
    expect(search('inner').value).toBe(30);
  });

  test('looks at files too, and never at the root', () => {
    expect(search('lib\\.py').value).toBe(30);
    expect(search('^all$').value).toBe(0);
    expect(search('.').value).toBe(100);
  });

  test('stays inside the zoom', () => {
    expect(search('work', node(flame, 'main')).value).toBe(50);
  });

  test('knows how many matches lie in a run of a level', () => {
    const { matchesBefore } = search('work');
    expect(matchesBefore[flame.size]).toBe(2);
  });

  test('case counts only where there is a capital', () => {
    expect(search('WORK').value).toBe(0);
    expect(matcher('wOrk')?.test('work')).toBe(false);
    expect(matcher('work')?.test('WORK')).toBe(true);
  });

  test('what is no regular expression is text', () => {
    const match = matcher('f(');
    expect(match?.test('call f(x)')).toBe(true);
    expect(match?.note).not.toBe('');
    expect(matcher('')).toBeNull();
  });
});
