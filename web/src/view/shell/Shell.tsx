// The frame around each view: mark, navigation, time range, help.
import { Link, Outlet, useNavigate, useSearch } from '@tanstack/react-router';
import { useRef } from 'react';
import { defaultRange, type Range } from '../../model/time';
import { Button } from '../parts/Button';
import { Mark } from './Brand';
import { Help } from './Help';
import styles from './Shell.module.css';
import { TimePicker } from './TimePicker';

export function Shell() {
  const place = useSearch({ strict: false });
  const navigate = useNavigate();
  const help = useRef<HTMLDialogElement>(null);
  const range: Range = { from: place.from ?? defaultRange.from, to: place.to ?? defaultRange.to };
  const setRange = ({ from, to }: Range) =>
    void navigate({ to: '.', search: (before: object) => ({ ...before, from, to }) });
  const times = { ...(place.from && { from: place.from }), ...(place.to && { to: place.to }) };
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#main">
        Skip to the content
      </a>
      <header className={styles.top}>
        <Link className={styles.brand} to="/" search={times}>
          <Mark />
          Vigil
        </Link>
        <nav className={styles.nav} aria-label="Views">
          <Link to="/" search={times} activeOptions={{ exact: true, includeSearch: false }}>
            Services
          </Link>
          <Link to="/explore" search={times} activeOptions={{ includeSearch: false }}>
            Explore
          </Link>
        </nav>
        <div className={styles.grow} />
        <div className={styles.tools}>
          <TimePicker range={range} onChange={setRange} />
          <Button look="quiet" aria-label="Keys" title="Keys (?)" onClick={() => help.current?.showModal()}>
            ?
          </Button>
        </div>
      </header>
      <main id="main" className={styles.main}>
        <Outlet />
      </main>
      <Help dialog={help} />
    </div>
  );
}
