// The search text (`service:web -version:1.2 team:(intake OR core)`) taken apart and edited, so that a click on a tag
// changes the text that is seen. The server decides what a search means; terms that are not understood here stay as typed.

export interface Term {
  /** As typed. */
  raw: string;
  negative: boolean;
  /** Lower case; empty for a bare word. */
  name: string;
  values: string[];
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
    if (c === '\\' && quoted) {
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
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"')
    ? text.slice(1, -1).replace(/\\(.)/g, '$1')
    : text;
}

function quote(value: string): string {
  const plain = value !== '' && !/[\s"()\\]/.test(value) && value !== 'OR' && !value.startsWith('-');
  return plain ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

function termOf(raw: string): Term {
  const negative = raw.startsWith('-');
  const body = negative ? raw.slice(1) : raw;
  const colon = body.search(/[:"(]/);
  const named = colon > 0 && body[colon] === ':';
  const name = named ? body.slice(0, colon).toLowerCase() : '';
  const value = named ? body.slice(colon + 1) : body;
  const group = value.startsWith('(') && value.endsWith(')');
  const values = group ? words(value.slice(1, -1)).filter((word) => word !== 'OR') : [value];
  return { raw, negative, name, values: values.map(unquote) };
}

function written(negative: boolean, name: string, values: readonly string[]): Term {
  const [only] = values;
  const value = values.length === 1 && only !== undefined ? quote(only) : `(${values.map(quote).join(' OR ')})`;
  return { raw: `${negative ? '-' : ''}${name}:${value}`, negative, name, values: [...values] };
}

export function parseTerms(q: string): Term[] {
  return words(q).map(termOf);
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

/** The one value a tag is narrowed to, or null. */
export function onlyValue(q: string, name: string): string | null {
  const terms = parseTerms(q).filter((term) => isOf(term, name, false));
  const [value] = terms[0]?.values ?? [];
  return terms.length === 1 && terms[0]?.values.length === 1 && value !== undefined && !/[*?]/.test(value)
    ? value
    : null;
}

/** Makes sure that the search holds `name:value`. */
export function narrowed(q: string, name: string, value: string): string {
  return stateOf(q, name, value) === 'in' ? q : join([...parseTerms(q), written(false, name, [value])]);
}
