// Time ranges as text: what stands in the address bar, in the time field and on its button. A moment is `now`,
// `now-90m`, an RFC 3339 time, or Unix nanoseconds; people may also write `last 15m`, `yesterday`, `2026-11-25 10:00`.

export interface Range {
  from: string;
  to: string;
}

export const defaultRange: Range = { from: 'now-1h', to: 'now' };

export const presets: readonly Range[] = ['15m', '1h', '4h', '12h', '1d', '2d', '7d', '30d'].map((length) => ({
  from: `now-${length}`,
  to: 'now',
}));

const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const unitWords: Readonly<Record<string, readonly string[]>> = {
  s: ['s', 'sec', 'secs', 'second', 'seconds'],
  m: ['m', 'min', 'mins', 'minute', 'minutes'],
  h: ['h', 'hr', 'hrs', 'hour', 'hours'],
  d: ['d', 'day', 'days'],
  w: ['w', 'wk', 'week', 'weeks'],
};

function unitOf(word: string): string | null {
  return Object.keys(unitWords).find((unit) => unitWords[unit]?.includes(word.toLowerCase())) ?? null;
}

/** `15m`, `2 hours`, `1h30m` as `15m`, `2h`, `1h30m`; null for anything else. */
function lengthOf(text: string): string | null {
  const compact = text.trim().replace(/\s+/g, '');
  const parts = [...compact.matchAll(/(\d+)([a-z]+)/gi)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== compact) return null;
  let result = '';
  for (const [, digits, word] of parts) {
    const unit = unitOf(word ?? '');
    if (!unit || !digits || digits.length > 6) return null;
    result += `${Number(digits)}${unit}`;
  }
  return result;
}

function lengthMs(length: string): number {
  let sum = 0;
  for (const [, digits, unit] of length.matchAll(/(\d+)([smhdw])/g)) sum += Number(digits) * (unitMs[unit ?? ''] ?? 0);
  return sum;
}

const earliestMs = 0;
const latestMs = 253_402_300_799_000; // the end of year 9999, as far as RFC 3339 goes

function bounded(ms: number): number | null {
  return Number.isFinite(ms) && ms >= earliestMs && ms <= latestMs ? ms : null;
}

/** Milliseconds since 1970 of a moment, or null where it is none. */
export function momentMs(moment: string, nowMs: number): number | null {
  const text = moment.trim();
  if (text === 'now') return nowMs;
  const back = /^now\s*-\s*(.+)$/i.exec(text);
  if (back) {
    const length = lengthOf(back[1] ?? '');
    return length === null ? null : bounded(nowMs - lengthMs(length));
  }
  if (/^\d{16,19}$/.test(text)) return bounded(Number(text) / 1e6);
  const date = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*(Z|[+-]\d{2}:\d{2})?$/i.exec(text);
  return date ? bounded(Date.parse(`${date[1]}T${date[2] ?? '00:00'}${date[3] ?? ''}`)) : null;
}

export function isRelative(range: Range): boolean {
  return /^now/.test(range.to) || /^now/.test(range.from);
}

function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.000Z$/, 'Z');
}

function dayOf(ms: number): Range {
  const start = new Date(ms);
  start.setHours(0, 0, 0, 0);
  const end = new Date(start);
  end.setDate(end.getDate() + 1);
  return { from: stamp(start.getTime()), to: stamp(end.getTime()) };
}

function momentText(text: string, nowMs: number): string | null {
  const clean = text.trim();
  if (/^now/i.test(clean)) {
    const length = /^now\s*-\s*(.+)$/i.exec(clean)?.[1];
    if (length === undefined) return /^now$/i.test(clean) ? 'now' : null;
    const known = lengthOf(length);
    return known === null ? null : `now-${known}`;
  }
  const ms = momentMs(clean, nowMs);
  return ms === null ? null : stamp(ms);
}

/** Understands what a person types into the time field; null where it is not a range that has any length. */
export function parseRange(text: string, nowMs: number): Range | null {
  const clean = text
    .trim()
    .replace(/^(?:the\s+)?(?:last|past)\s+/i, '')
    .replace(/now\s*-\s*/gi, 'now-');
  const length = lengthOf(/^\d/.test(clean) ? clean : `1${clean}`); // "last hour" is 1 hour
  if (length !== null && lengthMs(length) > 0 && (/^\d/.test(clean) || clean !== text.trim()))
    return { from: `now-${length}`, to: 'now' };
  if (/^today$/i.test(clean)) return dayOf(nowMs);
  if (/^yesterday$/i.test(clean)) {
    const noon = new Date(nowMs);
    noon.setHours(12, 0, 0, 0);
    noon.setDate(noon.getDate() - 1);
    return dayOf(noon.getTime());
  }
  const [first, second, more] = clean.split(/\s+(?:to|until|-|–)\s+|\.\.|\s*→\s*/i);
  if (first === undefined || more !== undefined) return null;
  if (second === undefined) {
    if (/^\d{4}-\d{2}-\d{2}$/.test(first)) {
      const ms = momentMs(first, nowMs);
      return ms === null ? null : dayOf(ms);
    }
    const from = momentText(first, nowMs);
    return from === null || from === 'now' ? null : usable({ from, to: 'now' }, nowMs);
  }
  const from = momentText(first, nowMs);
  const to = momentText(second, nowMs);
  return from === null || to === null ? null : usable({ from, to }, nowMs);
}

function usable(range: Range, nowMs: number): Range | null {
  const from = momentMs(range.from, nowMs);
  const to = momentMs(range.to, nowMs);
  return from !== null && to !== null && from < to ? range : null;
}

/** The range as the API takes it, Unix nanoseconds; what cannot be read becomes the last hour. */
export function resolveRange(range: Range, nowMs: number): { from: string; to: string } {
  const known = usable(range, nowMs) ?? defaultRange;
  const ns = (moment: string) => `${Math.round(momentMs(moment, nowMs) ?? nowMs)}000000`.replace(/^0+(?=\d)/, '');
  return { from: ns(known.from), to: ns(known.to) };
}

/** The same stretch of time, no longer moving. */
export function pinned(range: Range, nowMs: number): Range {
  const { from, to } = resolveRange(range, nowMs);
  const second = (ns: string) => stamp(Math.round(Number(ns) / 1e9) * 1000);
  return { from: second(from), to: second(to) };
}

function lengthWords(length: string): string {
  const parts = [...length.matchAll(/(\d+)([smhdw])/g)];
  const [, digits = '', unit = ''] = parts[0] ?? [];
  if (parts.length !== 1) return length;
  const word = unitWords[unit]?.at(-2) ?? unit;
  return digits === '1' ? word : `${digits} ${word}s`;
}

function clock(ms: number, withDay: boolean, nowMs: number): string {
  const date = new Date(ms);
  const sameYear = date.getFullYear() === new Date(nowMs).getFullYear();
  const day = date.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
  });
  const time = date.toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    ...(ms % 60_000 ? { second: '2-digit' } : {}),
  });
  return withDay ? `${day} ${time}` : time;
}

/** `Last 15 minutes`, or `25 Nov 10:00 – 11:30`. */
export function rangeLabel(range: Range, nowMs: number): string {
  const length = range.to === 'now' ? /^now-((?:\d+[smhdw])+)$/.exec(range.from)?.[1] : undefined;
  if (length !== undefined) return `Last ${lengthWords(length)}`;
  const from = momentMs(range.from, nowMs);
  const to = momentMs(range.to, nowMs);
  if (from === null || to === null) return rangeLabel(defaultRange, nowMs);
  const sameDay = new Date(from).toDateString() === new Date(to).toDateString();
  return `${clock(from, true, nowMs)} – ${range.to === 'now' ? 'now' : clock(to, !sameDay, nowMs)}`;
}

/** For an <input type="datetime-local">, in the viewer's own time zone. */
export function localInput(moment: string, nowMs: number): string {
  const ms = momentMs(moment, nowMs) ?? nowMs;
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}
