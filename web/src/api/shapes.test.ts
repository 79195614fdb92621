import { describe, expect, test } from 'vitest';
import { sampleColumns } from '../model/sample';
import { address } from './client';
import { BadShape } from './json';
import { readFailure, readFlame, readServices } from './shapes';

/** As it comes over the wire. */
function flameJson(): Record<string, unknown> {
  const columns = sampleColumns({ 'main@a.py:1;work@b.py:2': 3 });
  return Object.fromEntries(
    Object.entries(columns).map(([name, value]) => [
      name,
      ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value,
    ]),
  );
}

test('a flame graph is read into typed arrays', () => {
  const flame = readFlame({ ...flameJson(), newer_field: 1, internal: { samples: 3, note: 'x' } }, '');
  expect(Array.from(flame.level)).toEqual([0, 1, 2]);
  expect(flame.internal).toEqual({ samples: 3 });
});

describe('a flame graph that does not fit together is refused', () => {
  test.each([
    ['a column too short', { self: [0] }],
    ['a level skipped', { level: [0, 2, 3] }],
    ['a second root', { level: [0, 0, 1] }],
    ['a root that is none', { level: [1, 1, 2] }],
    ['a name out of range', { name: [0, 1, 99] }],
    ['a file below zero', { file: [0, 1, -1] }],
    ['text for a number', { value: ['3', 3, 3] }],
    ['no numbers', { value: null }],
  ])('%s', (_, change) => {
    expect(() => readFlame({ ...flameJson(), ...change }, '')).toThrow(BadShape);
  });
});

test('the path of what is wrong is told', () => {
  expect(() => readServices({ services: [{ name: 1 }] }, '')).toThrow('services[0].name is not text');
  expect(() => readServices([], '')).toThrow('the answer is not an object');
});

test('a failure needs no hint', () => {
  expect(readFailure({ error: { code: 'a', message: 'b', hint: null } }, '').error.hint).toBe('');
});

test('addresses leave out what is empty', () => {
  expect(address('/x', { q: '', type: 'cpu-time', from: '1' })).toBe('/x?type=cpu-time&from=1');
  expect(address('/x', {})).toBe('/x');
});
