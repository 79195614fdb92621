// The tags of the slice, with how many profiles carry each value. A click edits the search.
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchTags } from '../../api/client';
import type { Tag, TagValue } from '../../api/shapes';
import { mentions, stateOf, toggle, withoutTag } from '../../model/terms';
import { type Range, resolveRange } from '../../model/time';
import { count } from '../../model/units';
import { refreshEvery } from '../parts/refresh';
import styles from './Facets.module.css';

interface Props {
  q: string;
  range: Range;
  onSearch: (q: string) => void;
}

const openAtFirst = new Set(['service', 'env', 'version', 'host']);
const shownAtFirst = 8;

/** The tags of the slice; a tag that the search speaks of is asked for without its own terms, so that the values not
 *  chosen can still be seen and chosen. */
function useTags(q: string, range: Range): Tag[] {
  const options = (search: string) => ({
    queryKey: ['tags', search, range.from, range.to],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      fetchTags({ q: search, ...resolveRange(range, Date.now()) }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: refreshEvery(range, false),
  });
  const all = useQuery(options(q));
  const tags = all.data?.tags ?? [];
  const used = tags.filter((tag) => mentions(q, tag.name));
  const wider = useQueries({ queries: used.map((tag) => options(withoutTag(q, tag.name))) });
  return tags.map((tag) => {
    const position = used.indexOf(tag);
    return wider[position]?.data?.tags.find((each) => each.name === tag.name) ?? tag;
  });
}

function FacetValue({
  name,
  value,
  q,
  onSearch,
}: {
  name: string;
  value: TagValue;
  q: string;
  onSearch: (q: string) => void;
}) {
  const state = stateOf(q, name, value.value);
  return (
    <li className={state === 'out' ? `${styles.value} ${styles.out}` : styles.value}>
      <button
        type="button"
        className={styles.pick}
        aria-pressed={state === 'in'}
        title={value.value}
        onClick={() => onSearch(toggle(q, name, value.value, state === 'out' ? 'out' : 'in'))}
      >
        <span className={styles.box} aria-hidden="true">
          {state === 'in' ? '✓' : state === 'out' ? '−' : ''}
        </span>
        <span className={styles.label}>{value.value || '(empty)'}</span>
        <span className={styles.count}>{count(value.count)}</span>
      </button>
      <button
        type="button"
        className={styles.except}
        aria-pressed={state === 'out'}
        aria-label={`Exclude ${name} ${value.value}`}
        onClick={() => onSearch(toggle(q, name, value.value, 'out'))}
      >
        {state === 'out' ? 'undo' : 'not'}
      </button>
    </li>
  );
}

function Facet({ tag, q, onSearch }: { tag: Tag; q: string; onSearch: (q: string) => void }) {
  const [all, setAll] = useState(false);
  const used = mentions(q, tag.name);
  const shown = all ? tag.values : tag.values.slice(0, shownAtFirst);
  return (
    <details className={styles.facet} open={used || openAtFirst.has(tag.name)}>
      <summary>
        <span className={used ? styles.used : undefined}>{tag.name}</span>
        <span className={styles.number}>{count(tag.values.length)}</span>
      </summary>
      <ul className={styles.values}>
        {shown.map((value) => (
          <FacetValue key={value.value} name={tag.name} value={value} q={q} onSearch={onSearch} />
        ))}
      </ul>
      {tag.values.length > shownAtFirst && (
        <button type="button" className={styles.more} onClick={() => setAll(!all)}>
          {all ? 'fewer' : `${tag.values.length - shownAtFirst} more`}
        </button>
      )}
    </details>
  );
}

export function Facets({ q, range, onSearch }: Props) {
  const tags = useTags(q, range);
  return (
    <section className={styles.rail} aria-label="Tags">
      {tags.map((tag) => (
        <Facet key={tag.name} tag={tag} q={q} onSearch={onSearch} />
      ))}
    </section>
  );
}
