import { expect, test } from 'vitest';
import { parseSort, serviceRows, writeSort } from './services';
import { tabTypes, typeLabel } from './types';

test('cores are CPU time over time watched', () => {
  const [row] = serviceRows([
    {
      name: 'web',
      language: 'python',
      profiles: 2,
      processes: 1,
      last_seen: '2026-11-25T12:00:00Z',
      envs: [],
      versions: [],
      hosts: [],
      duration_ns: 120e9,
      types: [{ name: 'cpu-time', unit: 'nanoseconds', total: 30e9 }],
    },
  ]);
  expect(row).toMatchObject({ cores: 0.25, wallNs: 0, lastSeenMs: Date.parse('2026-11-25T12:00:00Z') });
});

test('the order in the address', () => {
  expect(parseSort('-self', ['self', 'total'], 'total')).toEqual({ id: 'self', desc: true });
  expect(parseSort('nonsense', ['self', 'total'], '-total')).toEqual({ id: 'total', desc: true });
  expect(parseSort(undefined, ['self'], 'self')).toEqual({ id: 'self', desc: false });
  expect(writeSort({ id: 'self', desc: true })).toBe('-self');
});

test('tabs show what there is and what is looked at', () => {
  const types = [
    { name: 'strange', unit: 'count', total: 1 },
    { name: 'heap-space', unit: 'bytes', total: 0 },
    { name: 'wall-time', unit: 'nanoseconds', total: 5 },
    { name: 'cpu-time', unit: 'nanoseconds', total: 0 },
  ];
  expect(tabTypes(types, 'cpu-time').map((type) => type.name)).toEqual(['cpu-time', 'wall-time', 'strange']);
  expect(typeLabel('strange')).toBe('strange');
});
