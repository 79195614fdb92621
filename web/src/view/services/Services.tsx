// All services of the time range; a click leads to where their time goes.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import {
  createColumnHelper,
  createSortedRowModel,
  rowSortingFeature,
  type SortFn,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { Fragment, useEffect, useMemo } from 'react';
import { fetchServices } from '../../api/client';
import { parseSort, type ServiceRow, serviceRows, writeSort } from '../../model/services';
import { narrowed } from '../../model/terms';
import { defaultRange, type Range, resolveRange } from '../../model/time';
import { ago, cores, count, duration } from '../../model/units';
import { EmptyNotice, ErrorBar, ErrorNotice, Loading } from '../parts/Notice';
import { refreshEvery } from '../parts/refresh';
import { SortHeader } from '../parts/SortHeader';
import tableStyles from '../parts/Table.module.css';
import styles from './Services.module.css';

const route = getRouteApi('/');

const byValue: SortFn<typeof features, ServiceRow> = (a, b, id) => {
  const [left, right] = [a.getValue<number | string>(id), b.getValue<number | string>(id)];
  return left < right ? -1 : left > right ? 1 : 0;
};

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() });
const helper = createColumnHelper<typeof features, ServiceRow>();
const columns = helper.columns([
  helper.accessor('name', { header: 'Service', sortFn: byValue }),
  helper.accessor('cores', { header: 'Cores', sortFn: byValue }),
  helper.accessor('wallNs', { header: 'Wall time', sortFn: byValue }),
  helper.accessor('profiles', { header: 'Profiles', sortFn: byValue }),
  helper.accessor('processes', { header: 'Processes', sortFn: byValue }),
  helper.accessor((row) => row.envs.join(' '), { id: 'envs', header: 'Envs', sortFn: byValue }),
  helper.accessor((row) => row.versions.join(' '), { id: 'versions', header: 'Versions', sortFn: byValue }),
  helper.accessor('lastSeenMs', { id: 'seen', header: 'Last seen', sortFn: byValue }),
]);
const columnIds = ['name', 'cores', 'wallNs', 'profiles', 'processes', 'envs', 'versions', 'seen'];
const numeric = new Set(['cores', 'wallNs', 'profiles', 'processes', 'seen']);
const help: Readonly<Record<string, string>> = {
  cores: 'CPU time ÷ time watched: how many cores a process of the service keeps busy on average',
  wallNs: 'Time that passed in all threads, on the CPU or waiting',
  profiles: 'Profiles received',
  processes: 'Processes that sent them',
};

function Chips({ values }: { values: readonly string[] }) {
  const shown = values.slice(0, 3);
  return (
    <>
      {shown.map((value) => (
        <Fragment key={value}>
          <span className={styles.chip}>{value}</span>{' '}
        </Fragment>
      ))}
      {values.length > shown.length && <span className={styles.muted}>+{values.length - shown.length}</span>}
    </>
  );
}

function ServiceCells({ row, most, times }: { row: ServiceRow; most: number; times: Partial<Range> }) {
  return (
    <>
      <td>
        <Link className={styles.name} to="/explore" search={{ ...times, q: narrowed('', 'service', row.name) }}>
          {row.name}
        </Link>
        <span className={styles.language}>{row.language}</span>
      </td>
      <td className={tableStyles.number}>
        <span className={styles.meter}>
          <span className={styles.track} aria-hidden="true">
            <span
              className={styles.fill}
              style={{ display: 'block', width: `${most > 0 ? (row.cores / most) * 100 : 0}%` }}
            />
          </span>
          {cores(row.cpuNs, row.watchedNs)}
        </span>
      </td>
      <td className={tableStyles.number}>{duration(row.wallNs)}</td>
      <td className={tableStyles.number}>{count(row.profiles)}</td>
      <td className={tableStyles.number}>{count(row.processes)}</td>
      <td>
        <Chips values={row.envs} />
      </td>
      <td>
        <Chips values={row.versions} />
      </td>
      <td className={`${tableStyles.number} ${styles.muted}`} title={new Date(row.lastSeenMs).toLocaleString()}>
        {ago(row.lastSeenMs, Date.now())}
      </td>
    </>
  );
}

function ServicesTable({ rows, sort, times }: { rows: ServiceRow[]; sort: string | undefined; times: Partial<Range> }) {
  const navigate = route.useNavigate();
  const sorting = useMemo(() => [parseSort(sort, columnIds, '-cores')], [sort]);
  const table = useTable({
    features,
    columns,
    data: rows,
    state: { sorting },
    enableSortingRemoval: false,
    onSortingChange: (change) => {
      const [next] = typeof change === 'function' ? change(sorting) : change;
      const written = writeSort(next);
      void navigate({ search: { ...times, ...(written && { sort: written }) }, replace: true });
    },
  });
  const most = Math.max(0, ...rows.map((row) => row.cores));
  return (
    <table className={tableStyles.table}>
      <thead>
        <tr>
          {table.getFlatHeaders().map((header) => (
            <SortHeader
              key={header.id}
              label={String(header.column.columnDef.header)}
              help={help[header.id] ?? ''}
              numeric={numeric.has(header.id)}
              sorted={header.column.getIsSorted()}
              onSort={() => header.column.toggleSorting()}
            />
          ))}
        </tr>
      </thead>
      <tbody>
        {table.getRowModel().rows.map((row) => (
          <tr key={row.original.name} className={styles.row}>
            <ServiceCells row={row.original} most={most} times={times} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Services() {
  const place = route.useSearch();
  const navigate = route.useNavigate();
  const range: Range = { from: place.from ?? defaultRange.from, to: place.to ?? defaultRange.to };
  const services = useQuery({
    queryKey: ['services', range.from, range.to],
    queryFn: ({ signal }) => fetchServices(resolveRange(range, Date.now()), signal),
    placeholderData: keepPreviousData,
    refetchInterval: (query) => refreshEvery(range, query.state.data?.length === 0),
  });
  const rows = useMemo(() => serviceRows(services.data ?? []), [services.data]);
  const retry = () => void services.refetch();
  useEffect(() => {
    document.title = 'Services · Vigil';
  }, []);
  if (services.isPending) return <Loading />;
  if (!services.data) return <ErrorNotice error={services.error} onRetry={retry} />;
  const times = { ...(place.from && { from: place.from }), ...(place.to && { to: place.to }) };
  return (
    <>
      {services.isError && <ErrorBar error={services.error} onRetry={retry} />}
      <div className={styles.view}>
        <div className={styles.head}>
          <h1>Services</h1>
          {rows.length > 0 && (
            <p>
              {count(rows.length)} {rows.length === 1 ? 'service' : 'services'}
            </p>
          )}
        </div>
        {rows.length === 0 ? (
          <EmptyNotice
            q=""
            onClearFilters={() => undefined}
            onShow={(from, to) => void navigate({ search: (before) => ({ ...before, from, to }) })}
          />
        ) : (
          <div className={services.isPlaceholderData ? `${styles.frame} ${styles.old}` : styles.frame}>
            <ServicesTable rows={rows} sort={place.sort} times={times} />
          </div>
        )}
      </div>
    </>
  );
}
