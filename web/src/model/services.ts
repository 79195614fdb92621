// Rows of the services table.
import type { Service } from '../api/shapes';
import { totalOf } from './types';

export interface ServiceRow {
  name: string;
  language: string;
  /** Mean cores that a process of the service keeps busy. */
  cpuNs: number;
  wallNs: number;
  watchedNs: number;
  cores: number;
  profiles: number;
  processes: number;
  envs: string[];
  versions: string[];
  lastSeenMs: number;
}

export function serviceRows(services: readonly Service[]): ServiceRow[] {
  return services.map((service) => {
    const cpuNs = totalOf(service.types, 'cpu-time');
    return {
      name: service.name,
      language: service.language,
      cpuNs,
      wallNs: totalOf(service.types, 'wall-time'),
      watchedNs: service.duration_ns,
      cores: service.duration_ns > 0 ? cpuNs / service.duration_ns : 0,
      profiles: service.profiles,
      processes: service.processes,
      envs: service.envs,
      versions: service.versions,
      lastSeenMs: Date.parse(service.last_seen),
    };
  });
}

/** `-cores` as [{ id: 'cores', desc: true }], if it names one of the columns. */
export function parseSort(
  text: string | undefined,
  columns: readonly string[],
  otherwise: string,
): { id: string; desc: boolean } {
  const known = text !== undefined && columns.includes(text.replace(/^-/, '')) ? text : otherwise;
  return { id: known.replace(/^-/, ''), desc: known.startsWith('-') };
}

export function writeSort(sort: { id: string; desc: boolean } | undefined): string | undefined {
  return sort && `${sort.desc ? '-' : ''}${sort.id}`;
}
