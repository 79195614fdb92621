// The merged profile of the slice, and what the address says of it: where it is zoomed, what is selected and searched.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { fetchFlame } from '../../api/client';
import type { ExplorePlace } from '../../model/address';
import { find, matcher } from '../../model/find';
import { buildFlame, type Flame, frameByKey, functionByKey } from '../../model/flame';
import { colours } from '../../model/palette';
import { type Range, resolveRange } from '../../model/time';
import { defaultType } from '../../model/types';
import { refreshEvery } from '../parts/refresh';

export function useFlame(place: ExplorePlace, range: Range) {
  const q = place.q ?? '';
  const type = place.type ?? defaultType;
  return useQuery({
    queryKey: ['flame', q, type, range.from, range.to],
    queryFn: async ({ signal }): Promise<Flame> =>
      buildFlame(await fetchFlame({ q, ...resolveRange(range, Date.now()) }, type, signal)),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => refreshEvery(range, query.state.data?.profiles === 0),
    // A flame graph is replaced as a whole: comparing fifty thousand nodes one by one would find nothing to keep.
    structuralSharing: false,
    gcTime: 60_000,
  });
}

/** Keys of the address found again in this profile. A frame that is not in it is not shown as chosen. */
export function useFocus(flame: Flame, place: ExplorePlace) {
  const palette = useMemo(() => colours(flame), [flame]);
  const root = useMemo(() => (place.root ? frameByKey(flame, place.root) : 0), [flame, place.root]);
  const selected = useMemo(() => (place.sel ? frameByKey(flame, place.sel) : null), [flame, place.sel]);
  const highlight = useMemo(() => (place.fn ? functionByKey(flame, place.fn) : null), [flame, place.fn]);
  const match = useMemo(() => matcher(place.search ?? ''), [place.search]);
  const found = useMemo(() => match && find(flame, match, root ?? 0), [flame, match, root]);
  return { palette, root: root ?? 0, isRootGone: root === null, selected, highlight, found, note: match?.note ?? '' };
}
