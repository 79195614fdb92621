// Numbers as people read them: three digits that matter and a unit.

const space = '\u202f'; // narrow and unbroken

function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

function scaled(value: number, steps: readonly (readonly [number, string])[]): string {
  // A value that would round up to the next unit's 1 is written in that unit.
  let [size, unit] = steps[0] ?? [1, ''];
  for (const [nextSize, nextUnit] of steps)
    if (Math.abs(value) >= nextSize * 0.9995) [size, unit] = [nextSize, nextUnit];
  return unit ? `${threeDigits(value / size)}${space}${unit}` : threeDigits(value / size);
}

const timeSteps = [
  [1, 'ns'],
  [1e3, 'µs'],
  [1e6, 'ms'],
  [1e9, 's'],
  [60e9, 'min'],
  [3600e9, 'h'],
  [86400e9, 'd'],
] as const;

export function duration(ns: number): string {
  if (ns === 0) return `0${space}s`;
  if (Math.abs(ns) < 1e3) return `${Math.round(ns)}${space}ns`;
  // Seconds stay seconds up to two minutes: "90.0 s" reads better than "1.50 min".
  return Math.abs(ns) >= 1e9 && Math.abs(ns) < 120e9 ? `${threeDigits(ns / 1e9)}${space}s` : scaled(ns, timeSteps);
}

const byteSteps = [
  [1, 'B'],
  [1024, 'KiB'],
  [1024 ** 2, 'MiB'],
  [1024 ** 3, 'GiB'],
  [1024 ** 4, 'TiB'],
] as const;

export function bytes(count: number): string {
  return Math.abs(count) < 1024 ? `${Math.round(count)}${space}B` : scaled(count, byteSteps);
}

const countSteps = [
  [1, ''],
  [1e6, 'M'],
  [1e9, 'G'],
  [1e12, 'T'],
] as const;

export function count(value: number): string {
  if (Math.abs(value) < 1e6) return Math.round(value).toLocaleString('en').replaceAll(',', space);
  return scaled(value, countSteps);
}

export function quantity(value: number, unit: string): string {
  if (unit === 'nanoseconds') return duration(value);
  if (unit === 'bytes') return bytes(value);
  return unit === 'count' || unit === '' ? count(value) : `${count(value)}${space}${unit}`;
}

/** A share of a whole in percent; something that is not nothing never reads as 0. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return `–`;
  const share = (part / whole) * 100;
  if (share === 0) return `0${space}%`;
  if (share < 0.01) return `<${space}0.01${space}%`;
  return `${share >= 99.95 ? share.toFixed(0) : share >= 10 ? share.toFixed(1) : share.toFixed(2)}${space}%`;
}

/** Cores' worth of CPU: CPU time over the time watched. */
export function cores(cpuNs: number, watchedNs: number): string {
  if (watchedNs <= 0) return '–';
  const value = cpuNs / watchedNs;
  return value > 0 && value < 0.001 ? `<${space}0.001` : value < 0.9995 ? value.toFixed(3) : threeDigits(value);
}

/** How long ago, in words as short as they can be. */
export function ago(thenMs: number, nowMs: number): string {
  const s = Math.round((nowMs - thenMs) / 1000);
  if (s < 0) return `in ${ago(nowMs, thenMs).replace(' ago', '')}`;
  if (s < 5) return 'now';
  if (s < 90) return `${s}${space}s ago`;
  if (s < 90 * 60) return `${Math.round(s / 60)}${space}min ago`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)}${space}h ago`;
  return `${Math.round(s / 86400)}${space}d ago`;
}
