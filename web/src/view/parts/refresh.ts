// How often the page asks again: never for a fixed stretch of time, every half minute for one that moves with the
// clock, and every three seconds while there is nothing to see.
import { isRelative, type Range } from '../../model/time';

export const refreshMs = 30_000;
export const waitingMs = 3_000;

export function refreshEvery(range: Range, isEmpty: boolean): number | false {
  if (!isRelative(range)) return false;
  return isEmpty ? waitingMs : refreshMs;
}
