import { expect, test } from 'vitest';
import { ago, bytes, cores, count, duration, percent, quantity } from './units';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

test.each([
  [0, '0 s'],
  [12, '12 ns'],
  [999.6, '1000 ns'],
  [1500, '1.50 µs'],
  [12_345_678, '12.3 ms'],
  [999_960_000, '1.00 s'],
  [1_234_000_000, '1.23 s'],
  [90e9, '90.0 s'],
  [119e9, '119 s'],
  [180e9, '3.00 min'],
  [9 * 3600e9, '9.00 h'],
  [10 * 86400e9, '10.0 d'],
])('%d ns', (ns, text) => expect(plain(duration(ns))).toBe(text));

test('bytes and counts', () => {
  expect(plain(bytes(1000))).toBe('1000 B');
  expect(plain(bytes(1536))).toBe('1.50 KiB');
  expect(plain(count(1234))).toBe('1 234');
  expect(plain(count(12_345_678))).toBe('12.3 M');
  expect(plain(quantity(5, 'widgets'))).toBe('5 widgets');
});

test('percent never hides something behind 0', () => {
  expect(plain(percent(1, 3))).toBe('33.3 %');
  expect(plain(percent(1, 30))).toBe('3.33 %');
  expect(plain(percent(1, 1))).toBe('100 %');
  expect(plain(percent(1, 1e9))).toBe('< 0.01 %');
  expect(plain(percent(0, 5))).toBe('0 %');
  expect(plain(percent(1, 0))).toBe('–');
});

test('cores', () => {
  expect(cores(0.5e9, 1e9)).toBe('0.500');
  expect(cores(12e9, 1e9)).toBe('12.0');
  expect(plain(cores(1, 1e9))).toBe('< 0.001');
  expect(cores(1, 0)).toBe('–');
});

test('ago', () => {
  expect(ago(0, 2000)).toBe('now');
  expect(plain(ago(0, 42_000))).toBe('42 s ago');
  expect(plain(ago(0, 7_200_000))).toBe('2 h ago');
  expect(plain(ago(60_000, 0))).toBe('in 60 s');
});
