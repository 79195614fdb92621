// The typed client of the HTTP API. It fetches from the page's own origin, checks what comes, and turns every way of
// failing into one ApiError that can be shown to a person.
import { BadShape, type Reader } from './json';
import type { Service, Tags } from './shapes';
import {
  type FlameColumns,
  type Profile,
  readFailure,
  readFlame,
  readProfiles,
  readServices,
  readTags,
} from './shapes';

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    /** Names the exchange in the server's log; empty where it never answered. */
    readonly requestId = '',
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Times as the API takes them: Unix nanoseconds as text (they do not fit a number). */
export interface Span {
  from: string;
  to: string;
}

export interface Slice extends Span {
  q: string;
}

type Parameters = Readonly<Record<string, string | number>>;

export function address(path: string, parameters: Parameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== '') search.set(name, String(value));
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

async function explain(answer: Response): Promise<ApiError> {
  const requestId = answer.headers.get('x-request-id') ?? '';
  const body: unknown = await answer.json().catch(() => null);
  try {
    const { error } = readFailure(body, '');
    return new ApiError(answer.status, error.code, error.message, error.hint, requestId);
  } catch {
    const message = answer.statusText || 'The server refused.';
    return new ApiError(answer.status, `http_${answer.status}`, message, '', requestId);
  }
}

async function get<T>(path: string, parameters: Parameters, read: Reader<T>, signal: AbortSignal): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address(path, parameters), { signal, headers: { accept: 'application/json' } });
  } catch (problem) {
    if (signal.aborted) throw problem;
    throw new ApiError(0, 'unreachable', 'The server does not answer.', `Is vigil serve running at ${location.host}?`);
  }
  if (!answer.ok) throw await explain(answer);
  try {
    return read(await answer.json(), '');
  } catch (problem) {
    if (signal.aborted) throw problem;
    const what = problem instanceof BadShape ? problem.message : 'The answer is not JSON.';
    throw new ApiError(answer.status, 'bad_answer', what, 'Page and server may be of different versions: reload.');
  }
}

export async function fetchServices(span: Span, signal: AbortSignal): Promise<Service[]> {
  return (await get('/api/v1/services', { ...span }, readServices, signal)).services;
}

export function fetchTags(slice: Slice, signal: AbortSignal): Promise<Tags> {
  return get('/api/v1/tags', { ...slice }, readTags, signal);
}

export function fetchFlame(slice: Slice, type: string, signal: AbortSignal): Promise<FlameColumns> {
  return get('/api/v1/flamegraph', { ...slice, type }, readFlame, signal);
}

/** The newest profile of all time, or null where none was ever stored. */
export async function fetchNewest(signal: AbortSignal): Promise<Profile | null> {
  const always = { from: '0', to: `${Date.now() + 86_400_000}000000` };
  return (await get('/api/v1/profiles', { ...always, limit: 1 }, readProfiles, signal)).profiles[0] ?? null;
}

/** Where the merged profile can be downloaded for other tools. */
export function downloadAddress(slice: Slice, type: string, format: 'pprof' | 'collapsed'): string {
  return address('/api/v1/flamegraph', { ...slice, type, format });
}
