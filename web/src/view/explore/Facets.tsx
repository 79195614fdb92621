// The tags of the slice, with how many profiles carry each value. A click edits the search.
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query';
import { memo, useState } from 'react';
import { fetchTags } from '../../api/client';
import type { Tag, Tags, TagValue } from '../../api/shapes';
import { chosenValues, mentions, searchName, stateOf, toggle, usedTags, withoutTag } from '../../model/terms';
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

/** The tags of the slice. One that the search speaks of is asked for without its own terms, so that the values not
 *  chosen can still be seen and chosen; and it is there even where nothing matches. */
function useTags(q: string, range: Range): Tag[] {
  const options = (search: string) => ({
    queryKey: ['tags', search, range.from, range.to],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      fetchTags({ q: search, ...resolveRange(range, Date.now()) }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: (query: { state: { data: Tags | undefined } }) =>
      refreshEvery(range, query.state.data?.profiles === 0),
  });
  const all = useQuery(options(q)).data?.tags ?? [];
  const used = usedTags(q);
  const wider = useQueries({ queries: used.map((name) => options(withoutTag(q, name))) });
  const found = new Map(all.map((tag) => [tag.name, tag]));
  used.forEach((name, i) => {
    const tag = wider[i]?.data?.tags.find((each) => searchName(each.name) === name);
    if (tag) found.set(tag.name, tag);
  });
  return [...found.values()].map((tag) => ({
    ...tag,
    values: withChosen(tag.values, chosenValues(q, searchName(tag.name))),
  }));
}

/** What the search names stays in the list, also where no profile carries it. */
function withChosen(values: readonly TagValue[], chosen: readonly string[]): TagValue[] {
  const missing = chosen.filter((value) => !values.some((each) => each.value === value));
  return [...values, ...missing.map((value) => ({ value, count: 0 }))];
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
  const term = searchName(name);
  const state = stateOf(q, term, value.value);
  return (
    <li className={state === 'out' ? `${styles.value} ${styles.out}` : styles.value}>
      <button
        type="button"
        className={styles.pick}
        aria-pressed={state === 'in'}
        title={value.value}
        onClick={() => onSearch(toggle(q, term, value.value, state === 'out' ? 'out' : 'in'))}
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
        onClick={() => onSearch(toggle(q, term, value.value, 'out'))}
      >
        {state === 'out' ? 'undo' : 'not'}
      </button>
    </li>
  );
}

function Facet({ tag, q, onSearch }: { tag: Tag; q: string; onSearch: (q: string) => void }) {
  const [all, setAll] = useState(false);
  const used = mentions(q, searchName(tag.name));
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

export const Facets = memo(function Facets({ q, range, onSearch }: Props) {
  const tags = useTags(q, range);
  return (
    <section className={styles.rail} aria-label="Tags">
      {tags.map((tag) => (
        <Facet key={tag.name} tag={tag} q={q} onSearch={onSearch} />
      ))}
    </section>
  );
});
