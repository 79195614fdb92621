// What the server answers (docs/http-api.md), checked while reading.
import { BadShape, column, dictionary, list, number, object, optional, type Reader, text } from './json';

export interface TypeTotal {
  name: string;
  unit: string;
  total: number;
}

export interface Service {
  name: string;
  language: string;
  profiles: number;
  processes: number;
  last_seen: string;
  envs: string[];
  versions: string[];
  hosts: string[];
  duration_ns: number;
  types: TypeTotal[];
}

export interface TagValue {
  value: string;
  count: number;
}

export interface Tag {
  name: string;
  values: TagValue[];
}

export interface Tags {
  profiles: number;
  tags: Tag[];
}

export interface Profile {
  id: string;
  start: string;
  end: string;
  service: string;
}

/** One merged profile as columns: node i is (level[i], name[i], …), in depth-first order, node 0 the root. */
export interface FlameColumns {
  type: string;
  unit: string;
  from: string;
  to: string;
  profiles: number;
  duration_ns: number;
  total: number;
  types: TypeTotal[];
  names: string[];
  files: string[];
  level: Int32Array;
  name: Int32Array;
  file: Int32Array;
  line: Int32Array;
  value: Float64Array;
  self: Float64Array;
  pruned: { nodes: number; value: number };
  internal: Record<string, number>;
}

export interface Failure {
  code: string;
  message: string;
  hint: string;
}

const typeTotal = object<TypeTotal>({ name: text, unit: text, total: number });

const service = object<Service>({
  name: text,
  language: optional(text, ''),
  profiles: number,
  processes: number,
  last_seen: text,
  envs: list(text),
  versions: list(text),
  hosts: optional(list(text), []),
  duration_ns: number,
  types: list(typeTotal),
});

export const readServices = object<{ services: Service[] }>({ services: list(service) });

export const readTags = object<Tags>({
  profiles: number,
  tags: list(object<Tag>({ name: text, values: list(object<TagValue>({ value: text, count: number })) })),
});

export const readProfiles = object<{ profiles: Profile[] }>({
  profiles: list(object<Profile>({ id: text, start: text, end: text, service: optional(text, '') })),
});

export const readFailure = object<{ error: Failure }>({
  error: object<Failure>({ code: text, message: text, hint: optional(text, '') }),
});

/** Numbers only; whatever else the server tells of itself is left out. */
const counters: Reader<Record<string, number>> = (value, path) => {
  const all = dictionary<unknown>((each) => each)(value, path);
  const result: Record<string, number> = {};
  for (const [name, each] of Object.entries(all)) if (typeof each === 'number') result[name] = each;
  return result;
};

const flameColumns = object<FlameColumns>({
  type: text,
  unit: text,
  from: text,
  to: text,
  profiles: number,
  duration_ns: number,
  total: number,
  types: list(typeTotal),
  names: list(text),
  files: list(text),
  level: column((n) => new Int32Array(n)),
  name: column((n) => new Int32Array(n)),
  file: column((n) => new Int32Array(n)),
  line: column((n) => new Int32Array(n)),
  value: column((n) => new Float64Array(n)),
  self: column((n) => new Float64Array(n)),
  pruned: optional(object({ nodes: number, value: number }), { nodes: 0, value: 0 }),
  internal: optional(counters, {}),
});

/** The columns' lengths, indices and levels must fit together: all that comes after relies on it without checks. */
export const readFlame: Reader<FlameColumns> = (value, path) => {
  const flame = flameColumns(value, path);
  const n = flame.level.length;
  for (const name of ['name', 'file', 'line', 'value', 'self'] as const)
    if (flame[name].length !== n) throw new BadShape(name, `${n} long, as level is`);
  let previous = -1;
  for (let i = 0; i < n; i++) {
    const level = flame.level[i] ?? -1;
    const name = flame.name[i] ?? -1;
    const file = flame.file[i] ?? -1;
    if (level > previous + 1 || level < (i === 0 ? 0 : 1)) throw new BadShape(`level[${i}]`, 'a depth-first order');
    if (name < 0 || name >= flame.names.length) throw new BadShape(`name[${i}]`, 'an index of names');
    if (file < 0 || file >= flame.files.length) throw new BadShape(`file[${i}]`, 'an index of files');
    previous = level;
  }
  return flame;
};
