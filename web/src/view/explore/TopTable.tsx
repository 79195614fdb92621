// The functions of what the graph shows, with their own and their total time, filtered by the graph's search. Only the
// rows in sight are in the document.
import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  type SortFn,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useMemo, useRef } from 'react';
import type { Found } from '../../model/find';
import { at, type Flame, functionText } from '../../model/flame';
import { colourNames } from '../../model/palette';
import { parseSort, writeSort } from '../../model/services';
import { type TopRow, top } from '../../model/top';
import { percent, quantity } from '../../model/units';
import { SortHeader } from '../parts/SortHeader';
import tableStyles from '../parts/Table.module.css';
import styles from './TopTable.module.css';

interface Props {
  flame: Flame;
  colours: Uint8Array;
  root: number;
  found: Found | null;
  highlight: number | null;
  sort: string | undefined;
  onSort: (sort: string | undefined) => void;
  onHighlight: (fn: number | null) => void;
}

interface NamedRow extends TopRow {
  name: string;
}

const rowHeight = 38;

const byValue: SortFn<typeof features, NamedRow> = (a, b, id) => {
  const [left, right] = [a.getValue<number | string>(id), b.getValue<number | string>(id)];
  return left < right ? -1 : left > right ? 1 : 0;
};

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
const helper = createColumnHelper<typeof features, NamedRow>();
const columns = helper.columns([
  helper.accessor('name', { header: 'Function', sortFn: byValue, sortDescFirst: false }),
  helper.accessor('self', { header: 'Self', sortFn: byValue, sortDescFirst: true }),
  helper.accessor('total', { header: 'Total', sortFn: byValue, sortDescFirst: true }),
]);
const columnIds = ['name', 'self', 'total'];
const help: Readonly<Record<string, string>> = {
  self: 'Spent in the function itself',
  total: 'Spent in the function and in what it calls; a recursive function counts once',
};

function Amount({ value, whole, unit }: { value: number; whole: number; unit: string }) {
  return (
    <td className={`${tableStyles.number} ${styles.amount}`}>
      {quantity(value, unit)}
      <small>{percent(value, whole)}</small>
    </td>
  );
}

export const TopTable = memo(function TopTable({
  flame,
  colours,
  root,
  found,
  highlight,
  sort,
  onSort,
  onHighlight,
}: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const all = useMemo(
    () =>
      top(flame, root)
        .map((row): NamedRow => ({ ...row, name: functionText(flame, row.fn).name }))
        .sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1)), // the order of equals
    [flame, root],
  );
  const data = useMemo(() => (found ? all.filter((row) => at(found.functions, row.fn) === 1) : all), [all, found]);
  const sorting = useMemo(() => [parseSort(sort, columnIds, '-self')], [sort]);
  const table = useTable({
    features,
    columns,
    data,
    state: { sorting },
    enableSortingRemoval: false,
    onSortingChange: (change) => onSort(writeSort((typeof change === 'function' ? change(sorting) : change)[0])),
  });
  const { rows } = table.getRowModel();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    scrollMargin: 0,
  });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const whole = flame.size > 0 ? at(flame.value, root) : 0;
  return (
    <div ref={scroll} className={styles.scroll} tabIndex={-1}>
      <table className={tableStyles.table} aria-label="Functions" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {table.getFlatHeaders().map((header) => (
              <SortHeader
                key={header.id}
                label={String(header.column.columnDef.header)}
                help={help[header.id] ?? ''}
                numeric={header.id !== 'name'}
                sorted={header.column.getIsSorted()}
                onSort={() => header.column.toggleSorting()}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && (
            <tr className={styles.pad} aria-hidden="true">
              <td colSpan={3} style={{ height: before }} />
            </tr>
          )}
          {items.map((item) => {
            const row = rows[item.index]?.original;
            if (!row) return null;
            const { name, place } = functionText(flame, row.fn);
            const chosen = row.fn === highlight;
            return (
              <tr
                key={row.fn}
                className={chosen ? `${styles.row} ${styles.chosen}` : styles.row}
                aria-rowindex={item.index + 2}
              >
                <td>
                  <button
                    type="button"
                    className={styles.function}
                    aria-pressed={chosen}
                    title={place ? `${name}\n${place}` : name}
                    onClick={() => onHighlight(chosen ? null : row.fn)}
                  >
                    <span className={styles.name}>
                      <span
                        className={styles.swatch}
                        style={{ background: `var(--flame-${colourNames[at(colours, row.fn)]})` }}
                      />
                      <span>{name}</span>
                    </span>
                    <span className={styles.place}>
                      <bdi>{place || '\u00a0'}</bdi>
                    </span>
                  </button>
                </td>
                <Amount value={row.self} whole={whole} unit={flame.unit} />
                <Amount value={row.total} whole={whole} unit={flame.unit} />
              </tr>
            );
          })}
          {after > 0 && (
            <tr className={styles.pad} aria-hidden="true">
              <td colSpan={3} style={{ height: after }} />
            </tr>
          )}
        </tbody>
      </table>
      {rows.length === 0 && <p className={styles.none}>No function matches the search.</p>}
    </div>
  );
});
