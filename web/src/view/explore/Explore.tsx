// One slice of profiles, merged: its tags, its types, its flame graph and its functions.
import * as Tabs from '@radix-ui/react-tabs';
import { getRouteApi } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { downloadAddress } from '../../api/client';
import type { Flame } from '../../model/flame';
import { defaultRange, type Range, resolveRange } from '../../model/time';
import { defaultType, tabTypes, typeHelp, typeLabel } from '../../model/types';
import { cores, count, duration, percent, quantity } from '../../model/units';
import { Button, LinkButton } from '../parts/Button';
import { Actions, EmptyNotice, ErrorBar, ErrorNotice, Loading, Notice } from '../parts/Notice';
import styles from './Explore.module.css';
import { Facets } from './Facets';
import { FlamePanel } from './FlamePanel';
import { QueryBar } from './QueryBar';
import { useFlame } from './useFlame';

const route = getRouteApi('/explore');

function Summary({ flame }: { flame: Flame }) {
  return (
    <p className={styles.summary}>
      {flame.type === 'cpu-time' && (
        <span title="CPU time ÷ time watched">
          <b>{cores(flame.total, flame.duration_ns)}</b> cores
        </span>
      )}
      <span>
        <b>{count(flame.profiles)}</b> {flame.profiles === 1 ? 'profile' : 'profiles'}
      </span>
      <span title="The profiles' lengths together">
        <b>{duration(flame.duration_ns)}</b> watched
      </span>
      <Overhead flame={flame} />
    </p>
  );
}

/** What the profiler says of itself: what it cost, and how many samples are less than whole. */
function Overhead({ flame }: { flame: Flame }) {
  const { profiler_cpu_ns: own = 0, samples = 0, ...counts } = flame.internal;
  if (own <= 0 || flame.duration_ns <= 0) return null;
  const flaws = ['cut', 'truncated', 'unreadable', 'dropped', 'lost']
    .map((flaw) => [counts[`samples_${flaw}`] ?? 0, flaw] as const)
    .filter(([number]) => number > 0)
    .map(([number, flaw]) => `, ${count(number)} ${flaw}`);
  return (
    <span title={`The profiler's own CPU time ÷ time watched. ${count(samples)} samples${flaws.join('')}.`}>
      <b>{percent(own, flame.duration_ns)}</b> of a core for profiling
    </span>
  );
}

/** The slice has profiles, but nothing of the type asked for. */
function NothingOfType({ flame, type, onType }: { flame: Flame; type: string; onType: (type: string) => void }) {
  const others = tabTypes(flame.types, '').slice(0, 4);
  return (
    <div className={styles.empty}>
      <Notice title={`No ${typeLabel(type)} in these profiles`}>
        <p>They have other types{others.length > 0 ? ':' : ', or nothing ran.'}</p>
        <Actions>
          {others.map((other) => (
            <Button key={other.name} onClick={() => onType(other.name)}>
              {typeLabel(other.name)} {quantity(other.total, other.unit)}
            </Button>
          ))}
        </Actions>
      </Notice>
    </div>
  );
}

function Downloads({ q, range, type }: { q: string; range: Range; type: string }) {
  const slice = { q, ...resolveRange(range, Date.now()) };
  return (
    <>
      <LinkButton look="quiet" href={downloadAddress(slice, type, 'pprof')} download={`${type}.pprof`}>
        pprof
      </LinkButton>
      <LinkButton look="quiet" href={downloadAddress(slice, type, 'collapsed')} download={`${type}.txt`}>
        collapsed
      </LinkButton>
    </>
  );
}

export function Explore() {
  const place = route.useSearch();
  const navigate = route.useNavigate();
  const [isRailOpen, setRailOpen] = useState(false);
  const { from = defaultRange.from, to = defaultRange.to } = place;
  const range: Range = useMemo(() => ({ from, to }), [from, to]);
  const type = place.type ?? defaultType;
  const q = place.q ?? '';
  const flame = useFlame(place, range);
  const retry = () => void flame.refetch();

  const onPlace = useCallback(
    (change: Partial<Record<keyof typeof place, string | undefined>>, how: 'push' | 'replace') => {
      const search = (before: object) =>
        Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== undefined));
      void navigate({ search, replace: how === 'replace' });
    },
    [navigate],
  );
  const onSearch = useCallback((next: string) => next !== q && onPlace({ q: next || undefined }, 'push'), [q, onPlace]);
  const onType = (next: string) => onPlace({ type: next === defaultType ? undefined : next }, 'push');

  useEffect(() => {
    document.title = `${q || 'Explore'} · ${typeLabel(type)} · Vigil`;
  }, [q, type]);

  const { data } = flame;
  const isEmpty = data?.profiles === 0 && data.types.length === 0;
  return (
    <div className={styles.view}>
      <div className={styles.side} data-open={isRailOpen}>
        <Facets q={q} range={range} onSearch={onSearch} />
      </div>
      <div className={styles.content}>
        <div className={styles.query}>
          <span className={styles.toggleRail}>
            <Button aria-expanded={isRailOpen} onClick={() => setRailOpen(!isRailOpen)}>
              Tags
            </Button>
          </span>
          <QueryBar q={q} onSearch={onSearch} />
          {data && !isEmpty && <Downloads q={q} range={range} type={type} />}
        </div>
        {flame.isError && data && <ErrorBar error={flame.error} onRetry={retry} />}
        {flame.isError && !data && (
          <div className={styles.empty}>
            <ErrorNotice error={flame.error} onRetry={retry} />
          </div>
        )}
        {flame.isPending && <Loading />}
        {isEmpty && (
          <div className={styles.empty}>
            <EmptyNotice
              q={q}
              onClearFilters={() => onSearch('')}
              onShow={(from, to) => onPlace({ from, to }, 'push')}
            />
          </div>
        )}
        {data && !isEmpty && (
          <Tabs.Root className={styles.panel} value={type} onValueChange={onType} activationMode="manual">
            <Tabs.List className={styles.tabs} aria-label="Profile types">
              {tabTypes(data.types, type).map((each) => (
                <Tabs.Trigger key={each.name} value={each.name} className={styles.tab} title={typeHelp(each.name)}>
                  {typeLabel(each.name)}
                  <span>{quantity(each.total, each.unit)}</span>
                </Tabs.Trigger>
              ))}
              <Summary flame={data} />
            </Tabs.List>
            <Tabs.Content className={styles.panel} value={type} tabIndex={-1}>
              {data.total > 0 || flame.isPlaceholderData ? (
                <FlamePanel flame={data} place={place} old={flame.isPlaceholderData} onPlace={onPlace} />
              ) : (
                <NothingOfType flame={data} type={type} onType={onType} />
              )}
            </Tabs.Content>
          </Tabs.Root>
        )}
      </div>
    </div>
  );
}
