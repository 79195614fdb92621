// Reading JSON that came over the network: each reader checks one shape and returns it typed, or throws BadShape with
// the path of what was wrong. Fields that we do not know are ignored: the API only grows.

export class BadShape extends Error {
  constructor(path: string, wanted: string) {
    super(`${path || 'the answer'} is not ${wanted}`);
    this.name = 'BadShape';
  }
}

export type Reader<T> = (value: unknown, path: string) => T;

export const text: Reader<string> = (value, path) => {
  if (typeof value !== 'string') throw new BadShape(path, 'text');
  return value;
};

export const number: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new BadShape(path, 'a number');
  return value;
};

export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new BadShape(path, 'true or false');
  return value;
};

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function list<T>(item: Reader<T>): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new BadShape(path, 'a list');
    return value.map((each, i) => item(each, `${path}[${i}]`));
  };
}

export function object<T extends object>(fields: { readonly [K in keyof T]: Reader<T[K]> }): Reader<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    if (!isRecord(value)) throw new BadShape(path, 'an object');
    const result: Partial<T> = {};
    for (const name of names) result[name] = fields[name](value[name], path ? `${path}.${name}` : name);
    return result as T;
  };
}

/** An object whose names are data. */
export function dictionary<T>(item: Reader<T>): Reader<Record<string, T>> {
  return (value, path) => {
    if (!isRecord(value)) throw new BadShape(path, 'an object');
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, item(each, `${path}.${name}`)]));
  };
}

/** Absent or null becomes `otherwise`. */
export function optional<T>(inner: Reader<T>, otherwise: T): Reader<T> {
  return (value, path) => (value === undefined || value === null ? otherwise : inner(value, path));
}

/** A long column of numbers, into a typed array: fifty thousand of them are read for each flame graph. */
export function column<A extends Int32Array | Float64Array>(make: (length: number) => A): Reader<A> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new BadShape(path, 'a list');
    const result = make(value.length);
    for (let i = 0; i < value.length; i++) {
      const each: unknown = value[i];
      if (typeof each !== 'number' || !Number.isFinite(each)) throw new BadShape(`${path}[${i}]`, 'a number');
      result[i] = each;
    }
    return result;
  };
}
