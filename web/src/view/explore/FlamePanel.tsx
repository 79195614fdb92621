// The graph with its search, the table beside it, and the bar that describes the selected frame.
import { useCallback, useDeferredValue, useEffect, useRef, useState } from 'react';
import type { ExplorePlace } from '../../model/address';
import { at, type Flame, frameKey, frameText, functionKey } from '../../model/flame';
import { originLabels } from '../../model/palette';
import { count, percent, quantity } from '../../model/units';
import { FlameGraph } from '../flame/FlameGraph';
import { Button } from '../parts/Button';
import { isTyping } from '../parts/keys';
import { Bar } from '../parts/Notice';
import styles from './Explore.module.css';
import { FrameBar } from './FrameBar';
import { TopTable } from './TopTable';
import { useFocus } from './useFlame';

interface Props {
  flame: Flame;
  place: ExplorePlace;
  old: boolean;
  /** Changes the address; `push` makes a step that Back undoes. */
  onPlace: (change: Partial<Record<keyof ExplorePlace, string | undefined>>, how: 'push' | 'replace') => void;
}

function Legend() {
  return (
    <ul className={styles.legend} aria-label="Colours">
      {originLabels.map(({ origin, label }) => (
        <li key={origin}>
          <span className={styles.swatch} style={{ background: `var(--flame-${origin}-0)` }} />
          {label}
        </li>
      ))}
    </ul>
  );
}

type Focus = ReturnType<typeof useFocus>;

function FoundText({ flame, focus }: { flame: Flame; focus: Focus }) {
  const { found, note, root } = focus;
  if (!found) return null;
  const inZoom = root === 0 ? 'of total' : 'of the zoomed frame';
  return (
    <p className={styles.found} role="status">
      <strong>{percent(found.value, at(flame.value, root))}</strong> {inZoom}
      <span className={styles.note}>
        {' '}
        · {quantity(found.value, flame.unit)} · {count(found.functionCount)}{' '}
        {found.functionCount === 1 ? 'function' : 'functions'}
        {note && ` · ${note}`}
      </span>
    </p>
  );
}

interface SearchProps {
  input: React.RefObject<HTMLInputElement | null>;
  search: string;
  onSearch: (search: string) => void;
}

/** What is typed is shown at once, and goes to the address a moment later; the address wins while nobody types. */
function FrameSearch({ input, search, onSearch }: SearchProps) {
  const [text, setText] = useState(search);
  const change = (next: string) => {
    setText(next);
    onSearch(next);
  };
  useEffect(() => {
    if (document.activeElement !== input.current) setText(search);
  }, [input, search]);
  return (
    <div className={styles.find}>
      <input
        ref={input}
        className={styles.input}
        value={text}
        aria-label="Search frames"
        placeholder="Search frames (regex)"
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => change(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || event.nativeEvent.isComposing) return;
          event.nativeEvent.stopImmediatePropagation();
          if (text === '') event.currentTarget.blur();
          change('');
        }}
      />
      <kbd>/</kbd>
    </div>
  );
}

/** `/` goes to the search; Esc takes back, one after the other, the search, the selection and the zoom. */
function useKeys(
  place: ExplorePlace,
  input: React.RefObject<HTMLInputElement | null>,
  onPlace: Props['onPlace'],
): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key === '/' && !isTyping(event)) {
        event.preventDefault();
        input.current?.focus();
        input.current?.select();
      } else if (event.key === 'Escape' && !document.querySelector('dialog[open], :popover-open')) {
        if (place.search) onPlace({ search: undefined }, 'replace');
        else if (place.fn || place.sel) onPlace({ fn: undefined, sel: undefined }, 'replace');
        else if (place.root) onPlace({ root: undefined }, 'push');
      }
    };
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [place, input, onPlace]);
}

export function FlamePanel({ flame, place, old, onPlace }: Props) {
  const focus = useFocus(flame, place);
  const input = useRef<HTMLInputElement>(null);
  useKeys(place, input, onPlace);
  const { palette, root, selected, highlight, found } = focus;
  const tableRoot = useDeferredValue(root);
  const tableFound = useDeferredValue(found);
  const onFrames = useCallback((search: string) => onPlace({ search: search || undefined }, 'replace'), [onPlace]);
  const onSort = useCallback((sort: string | undefined) => onPlace({ sort }, 'replace'), [onPlace]);
  const onHighlight = useCallback(
    (fn: number | null) => onPlace({ fn: fn === null ? undefined : functionKey(flame, fn) }, 'replace'),
    [flame, onPlace],
  );
  const key = (node: number) => (node === 0 ? undefined : frameKey(flame, node));
  const zoom = (node: number) => {
    if (node === root) onPlace({ sel: key(node), fn: undefined }, 'replace');
    else onPlace({ root: key(node), sel: key(node), fn: undefined }, 'push');
  };
  return (
    <>
      {flame.pruned.nodes > 0 && (
        <Bar>
          <p>
            {count(flame.pruned.nodes)} small frames are left out: {quantity(flame.pruned.value, flame.unit)},{' '}
            {percent(flame.pruned.value, flame.total)} of the total.
          </p>
        </Bar>
      )}
      {focus.isRootGone && (
        <Bar>
          <p>The frame zoomed into does not occur here: this is the whole graph.</p>
          <Button onClick={() => onPlace({ root: undefined }, 'replace')}>Dismiss</Button>
        </Bar>
      )}
      <div className={styles.split}>
        <section className={styles.graph} aria-label="Graph">
          <div className={styles.tools}>
            <FrameSearch input={input} search={place.search ?? ''} onSearch={onFrames} />
            <FoundText flame={flame} focus={focus} />
            {root !== 0 && (
              <Button onClick={() => onPlace({ root: undefined, sel: undefined }, 'push')}>Reset zoom</Button>
            )}
          </div>
          <FlameGraph
            flame={flame}
            colours={palette}
            root={root}
            selected={selected}
            highlight={highlight}
            found={found}
            old={old}
            onZoom={zoom}
            onSelect={(node) => onPlace({ sel: frameKey(flame, node), fn: undefined }, 'replace')}
          />
          <Legend />
        </section>
        <section className={styles.table} aria-label="Top functions">
          <div className={styles.tableHead}>
            <h2>Functions</h2>
            <span className={styles.muted}>
              {root === 0 ? 'of the whole graph' : `from ${frameText(flame, root).name} down`}
            </span>
          </div>
          <TopTable
            flame={flame}
            colours={palette}
            root={tableRoot}
            found={tableFound}
            highlight={highlight}
            sort={place.sort}
            onSort={onSort}
            onHighlight={onHighlight}
          />
        </section>
      </div>
      <FrameBar flame={flame} root={root} selected={selected} onZoom={zoom} />
    </>
  );
}
