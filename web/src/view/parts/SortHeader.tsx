import styles from './Table.module.css';

interface Props {
  label: string;
  help?: string;
  numeric?: boolean;
  sorted: false | 'asc' | 'desc';
  onSort: () => void;
}

/** A column's head; a click sorts by it, another one turns the order round. */
export function SortHeader({ label, help, numeric = false, sorted, onSort }: Props) {
  const order = sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : 'none';
  const arrow = <span className={styles.arrow}>{sorted === 'asc' ? '▲' : sorted === 'desc' ? '▼' : ''}</span>;
  return (
    <th scope="col" aria-sort={order} className={numeric ? styles.number : undefined}>
      <button type="button" className={styles.sort} title={help} onClick={onSort}>
        {numeric && arrow}
        {label}
        {!numeric && arrow}
      </button>
    </th>
  );
}
