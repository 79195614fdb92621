// The search text (`service:web -version:1.2 team:(intake OR core)`) taken apart and edited, so that a click on a tag
// changes the text that is seen. The server decides what a search means; what is not understood here stays as typed.

export interface Term {
  /** As typed. */
  raw: string;
  negative: boolean;
  /** Lower case; empty for bare words and for whatever is too clever to be edited by a click. */
  name: string;
  values: string[];
}

/** These look at samples' labels, unless in quotes. */
const labelNames = new Set(['thread', 'task', 'state', 'exception', 'lock']);

/** A tag's name as a search has it, and as all functions here take it. */
export function searchName(tag: string): string {
  return labelNames.has(tag) || !/^[^\s:"()\\-][^\s:"()\\]*$/.test(tag)
    ? `"${tag.replace(/["\\]/g, '\\$&')}"`.toLowerCase()
    : tag.toLowerCase();
}

export type TagState = 'in' | 'out' | 'free';

/** Cuts at spaces that are outside quotes and parentheses. */
function words(text: string): string[] {
  const result: string[] = [];
  let word = '';
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '\\') {
      word += c + (text[++i] ?? '');
      continue;
    }
    if (c === '"') quoted = !quoted;
    else if (!quoted && c === '(') depth++;
    else if (!quoted && c === ')') depth = Math.max(0, depth - 1);
    if (!quoted && depth === 0 && /\s/.test(c)) {
      if (word) result.push(word);
      word = '';
    } else word += c;
  }
  if (word) result.push(word);
  return result;
}

function unquote(text: string): string {
  const inner = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return inner.replace(/\\(.)/g, '$1');
}

function quote(value: string): string {
  const escaped = value.replace(/["\\*?]/g, '\\$&');
  return value !== '' && !/[\s()]/.test(value) && !/^(?:-.*|OR|AND|NOT)$/.test(value) ? escaped : `"${escaped}"`;
}

/** `(a OR b OR c)` as its values, or null where something else stands in the parentheses. */
function alternatives(group: string): string[] | null {
  const inside = words(group.slice(1, -1));
  const regular = inside.length % 2 === 1 && inside.every((word, i) => (i % 2 === 1) === (word === 'OR'));
  return regular && !inside.some((word) => /^[-(]|^(?:AND|NOT)$/.test(word))
    ? inside.filter((word) => word !== 'OR').map(unquote)
    : null;
}

function termOf(raw: string): Term {
  const negative = raw.startsWith('-');
  const body = negative ? raw.slice(1) : raw;
  const name = /^("(?:[^"\\]|\\.)*"|[^\s:"()\\]+):/.exec(body)?.[1] ?? '';
  const value = name ? body.slice(name.length + 1) : body;
  const values = value.startsWith('(') && value.endsWith(')') ? alternatives(value) : [unquote(value)];
  return { raw, negative, name: values ? name.toLowerCase() : '', values: values ?? [] };
}

function written(negative: boolean, name: string, values: readonly string[]): Term {
  const [only] = values;
  const value = values.length === 1 && only !== undefined ? quote(only) : `(${values.map(quote).join(' OR ')})`;
  return { raw: `${negative ? '-' : ''}${name}:${value}`, negative, name, values: [...values] };
}

/** Terms that all must hold. A search with operators between its terms is one term, in parentheses. */
export function parseTerms(q: string): Term[] {
  const parts = words(q);
  return parts.some((word) => /^(?:OR|AND|NOT)$/.test(word)) ? [termOf(`(${q.trim()})`)] : parts.map(termOf);
}

function join(terms: readonly Term[]): string {
  return terms.map((term) => term.raw).join(' ');
}

function isOf(term: Term, name: string, negative: boolean): boolean {
  return term.name === name.toLowerCase() && term.negative === negative;
}

/** Takes the value out of the terms of that sign; terms left without a value go. */
function without(terms: readonly Term[], name: string, value: string, negative: boolean): Term[] {
  return terms.flatMap((term) => {
    if (!isOf(term, name, negative) || !term.values.includes(value)) return [term];
    const rest = term.values.filter((each) => each !== value);
    return rest.length > 0 ? [written(negative, name, rest)] : [];
  });
}

/** Adds the value to the first term of that sign, as one more alternative, or as a new term. */
function including(terms: readonly Term[], name: string, value: string, negative: boolean): Term[] {
  const first = terms.findIndex((term) => isOf(term, name, negative));
  const found = terms[first];
  if (!found) return [...terms, written(negative, name, [value])];
  return terms.with(first, written(negative, name, [...found.values, value]));
}

export function stateOf(q: string, name: string, value: string): TagState {
  const has = (negative: boolean) =>
    parseTerms(q).some((term) => isOf(term, name, negative) && term.values.includes(value));
  return has(true) ? 'out' : has(false) ? 'in' : 'free';
}

/** Includes or excludes a value of a tag; doing the same again takes it back. */
export function toggle(q: string, name: string, value: string, how: 'in' | 'out'): string {
  const before = stateOf(q, name, value);
  const terms = without(without(parseTerms(q), name, value, true), name, value, false);
  return join(before === how ? terms : including(terms, name, value, how === 'out'));
}

/** The search without what it says of one tag: what its other values would be. */
export function withoutTag(q: string, name: string): string {
  return join(parseTerms(q).filter((term) => term.name !== name.toLowerCase()));
}

export function mentions(q: string, name: string): boolean {
  return parseTerms(q).some((term) => term.name === name.toLowerCase());
}

/** The tags that the search speaks of, each once. */
export function usedTags(q: string): string[] {
  return [...new Set(parseTerms(q).flatMap((term) => term.name || []))];
}

/** The values, not patterns, that the search names for a tag. */
export function chosenValues(q: string, name: string): string[] {
  const values = parseTerms(q).flatMap((term) => (term.name === name.toLowerCase() ? term.values : []));
  return [...new Set(values)].filter((value) => value !== '' && !/[*?]/.test(value));
}

/** Makes sure that the search holds `name:value`. */
export function narrowed(q: string, name: string, value: string): string {
  return stateOf(q, name, value) === 'in' ? q : join([...parseTerms(q), written(false, name, [value])]);
}
