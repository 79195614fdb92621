// What a frame's colour says: whose code it is. Own code is warm, installed packages are cool with a shade for each
// package, the standard library and the interpreter are grey. The colours themselves are tokens of the theme.
import type { Flame } from './flame';
import { at } from './flame';

export type Origin = 'own' | 'package' | 'standard' | 'runtime';

export interface Owner {
  origin: Origin;
  /** The package's name, the standard library's module, or the file. */
  name: string;
}

/** How many shades each origin has; with one for the root these number the colours. */
export const shades: Readonly<Record<Origin, number>> = { own: 4, package: 6, standard: 2, runtime: 1 };

const order: readonly Origin[] = ['own', 'package', 'standard', 'runtime'];

/** Names of the theme's tokens, in the order of the numbers that `colours` gives. */
export const colourNames: readonly string[] = [
  'root',
  ...order.flatMap((origin) => Array.from({ length: shades[origin] }, (_, i) => `${origin}-${i}`)),
];

const standardLibrary = /(?:^|[\\/])lib(?:64)?[\\/](?:python|pypy)\d[\d.]*t?[\\/](.*)$/;

export function ownerOf(file: string): Owner {
  if (file === '' || file.startsWith('<built-in')) return { origin: 'runtime', name: 'interpreter' };
  if (file.startsWith('<frozen')) return { origin: 'standard', name: file.slice(8, -1) };
  if (file.startsWith('<')) return { origin: 'own', name: file };
  const installed = /[\\/](?:site|dist)-packages[\\/]([^\\/]+)/.exec(file);
  if (installed?.[1]) return { origin: 'package', name: installed[1].replace(/\.py$/, '') };
  const standard = standardLibrary.exec(file);
  if (standard?.[1]) return { origin: 'standard', name: standard[1].split(/[\\/]/)[0]?.replace(/\.py$/, '') ?? '' };
  return { origin: 'own', name: file };
}

function spread(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}

function firstColour(origin: Origin): number {
  let first = 1;
  for (const each of order) {
    if (each === origin) break;
    first += shades[each];
  }
  return first;
}

function colourOf(owner: Owner): number {
  return firstColour(owner.origin) + (spread(owner.name) % shades[owner.origin]);
}

/** The colour number of each function. */
export function colours(flame: Flame): Uint8Array {
  const byFile = flame.files.map((file) => colourOf(ownerOf(file)));
  const result = new Uint8Array(flame.functions.count);
  for (let fn = 0; fn < result.length; fn++) result[fn] = byFile[at(flame.functions.file, fn)] ?? 0;
  if (flame.size > 0) result[at(flame.fn, 0)] = 0;
  return result;
}

export const originLabels: readonly { origin: Origin; label: string }[] = [
  { origin: 'own', label: 'your code' },
  { origin: 'package', label: 'packages' },
  { origin: 'standard', label: 'standard library' },
  { origin: 'runtime', label: 'interpreter' },
];
