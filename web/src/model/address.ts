// What the address bar holds. It is the page's only store: each view is a link, and Back goes back. Everything is text;
// what is absent has its default, so that addresses stay short.
import { narrowed } from './terms';

export interface ServicesPlace {
  from?: string;
  to?: string;
  sort?: string;
}

export interface ExplorePlace {
  q?: string;
  type?: string;
  from?: string;
  to?: string;
  /** The regular expression looked for in frames. */
  search?: string;
  /** Key of the frame zoomed into. */
  root?: string;
  /** Key of the frame selected. */
  sel?: string;
  /** Key of the function highlighted, chosen in the table. */
  fn?: string;
  /** Order of the table: `self`, `-self`, … */
  sort?: string;
}

type Input = Readonly<Record<string, unknown>>;

const longest = 4000;

function textFrom(input: Input, name: string): string {
  const value = input[name];
  return typeof value === 'string' ? value.slice(0, longest) : '';
}

/** The named fields that are there and not empty. */
function pick<K extends string>(input: Input, names: readonly K[]): { [P in K]?: string } {
  const place: { [P in K]?: string } = {};
  for (const name of names) {
    const value = textFrom(input, name);
    if (value) place[name] = value;
  }
  return place;
}

export function servicesPlace(input: Input): ServicesPlace {
  return pick(input, ['from', 'to', 'sort']);
}

/** `service` and `env` are understood in links, and become part of the search. */
export function explorePlace(input: Input): ExplorePlace {
  let q = textFrom(input, 'q');
  for (const name of ['service', 'env', 'version', 'host'] as const) {
    const value = textFrom(input, name);
    if (value) q = narrowed(q, name, value);
  }
  return pick({ ...input, q }, ['q', 'type', 'from', 'to', 'search', 'root', 'sel', 'fn', 'sort']);
}

export function parseAddress(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

export function writeAddress(place: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(place))
    if (typeof value === 'string' && value !== '') search.set(name, value);
  // Colons, commas and the like are allowed in a query, and addresses are read by people.
  const text = search
    .toString()
    .replace(/%3A/g, ':')
    .replace(/%2C/g, ',')
    .replace(/%2F/g, '/')
    .replace(/%28/g, '(')
    .replace(/%29/g, ')');
  return text ? `?${text}` : '';
}
