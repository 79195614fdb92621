import { describe, expect, test } from 'vitest';
import { momentMs, parseRange, pinned, rangeLabel, resolveRange } from './time';

const now = Date.parse('2026-11-25T12:00:00Z');

describe('what people write', () => {
  test.each([
    ['now-1h', 'now-1h', 'now'],
    ['last 15m', 'now-15m', 'now'],
    ['Last 15 minutes', 'now-15m', 'now'],
    ['past 2 hours', 'now-2h', 'now'],
    ['last hour', 'now-1h', 'now'],
    ['15m', 'now-15m', 'now'],
    ['1h30m', 'now-1h30m', 'now'],
    ['now-2h to now-1h', 'now-2h', 'now-1h'],
    ['now - 2h .. now', 'now-2h', 'now'],
    ['2026-11-25T10:00:00Z to 2026-11-25T11:00:00Z', '2026-11-25T10:00:00Z', '2026-11-25T11:00:00Z'],
    ['2026-11-25T10:00:00+02:00 to now', '2026-11-25T08:00:00Z', 'now'],
    ['1764028800000000000 to now', '2025-11-25T00:00:00Z', 'now'],
  ])('%s', (text, from, to) => {
    expect(parseRange(text, now)).toEqual({ from, to });
  });

  test.each(['', 'soon', 'now', 'now to now-1h', 'h', '0m', 'last', 'now-1parsec', '2026-13-45', '99999999d'])(
    'not understood: %s',
    (text) => {
      expect(parseRange(text, now)).toBeNull();
    },
  );

  test('a day is from midnight to midnight here', () => {
    const day = parseRange('2026-11-24', now);
    expect(day && Date.parse(day.to) - Date.parse(day.from)).toBe(86_400_000);
    expect(parseRange('yesterday', now)).toEqual(parseRange('2026-11-24', now));
    expect(parseRange('today', now)).toEqual(parseRange('2026-11-25', now));
  });
});

test('moments', () => {
  expect(momentMs('now', now)).toBe(now);
  expect(momentMs('now-90m', now)).toBe(now - 5_400_000);
  expect(momentMs('2026-11-25T11:00:00.5Z', now)).toBe(now - 3_599_500);
  expect(momentMs('nonsense', now)).toBeNull();
});

test('a range becomes nanoseconds, and nonsense the last hour', () => {
  const hour = { from: `${now - 3_600_000}000000`, to: `${now}000000` };
  expect(resolveRange({ from: 'now-1h', to: 'now' }, now)).toEqual(hour);
  expect(resolveRange({ from: 'x', to: 'y' }, now)).toEqual(hour);
  expect(resolveRange({ from: '1970-01-01T00:00:00Z', to: 'now' }, now).from).toBe('0');
});

test('held still', () => {
  expect(pinned({ from: 'now-1h', to: 'now' }, now)).toEqual({
    from: '2026-11-25T11:00:00Z',
    to: '2026-11-25T12:00:00Z',
  });
});

test('labels', () => {
  expect(rangeLabel({ from: 'now-15m', to: 'now' }, now)).toBe('Last 15 minutes');
  expect(rangeLabel({ from: 'now-1h', to: 'now' }, now)).toBe('Last hour');
  expect(rangeLabel({ from: 'now-7d', to: 'now' }, now)).toBe('Last 7 days');
  expect(rangeLabel({ from: '2026-11-24T23:00:00', to: '2026-11-25T01:30:00' }, now)).toBe(
    '24 Nov 23:00 – 25 Nov 01:30',
  );
  expect(rangeLabel({ from: '2026-11-25T09:00:00', to: '2026-11-25T10:00:00' }, now)).toBe('25 Nov 09:00 – 10:00');
});
