// Names for people and an order for the profile types.
import type { TypeTotal } from '../api/shapes';

const known: readonly (readonly [string, string, string])[] = [
  ['cpu-time', 'CPU time', 'Time on a CPU.'],
  ['wall-time', 'Wall time', 'Time that passed, on the CPU or waiting, added over threads.'],
  ['gil-wait-time', 'GIL wait', 'Time spent waiting for the interpreter lock.'],
  ['lock-acquire-wait', 'Lock wait', 'Time spent waiting for locks.'],
  ['lock-release-hold', 'Lock hold', 'Time locks were held.'],
  ['exception-samples', 'Exceptions', 'Exceptions raised.'],
  ['alloc-space', 'Allocated', 'Bytes allocated.'],
  ['alloc-samples', 'Allocations', 'Blocks allocated.'],
  ['heap-space', 'Live heap', 'Bytes allocated and not yet freed.'],
  ['heap-live-samples', 'Live blocks', 'Blocks allocated and not yet freed.'],
  ['lock-acquire', 'Lock acquires', 'How often locks were taken.'],
  ['lock-release', 'Lock releases', 'How often locks were released.'],
  ['cpu-samples', 'Samples', 'Samples taken.'],
];

export const defaultType = 'cpu-time';

export function typeLabel(name: string): string {
  return known.find(([each]) => each === name)?.[1] ?? name;
}

export function typeHelp(name: string): string {
  return known.find(([each]) => each === name)?.[2] ?? '';
}

function rank(name: string): number {
  const position = known.findIndex(([each]) => each === name);
  return position < 0 ? known.length : position;
}

/** What the tabs show: types that have something, and the one looked at, in a fixed order. */
export function tabTypes(types: readonly TypeTotal[], shown: string): TypeTotal[] {
  const tabs = types.filter((type) => type.total > 0 || type.name === shown);
  return tabs.sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

export function totalOf(types: readonly TypeTotal[], name: string): number {
  return types.find((type) => type.name === name)?.total ?? 0;
}
