import { type FormEvent, useEffect, useState } from 'react';
import { Button } from '../parts/Button';
import styles from './Explore.module.css';

/** The search over profiles: what the tags' clicks write can be read and edited here. */
export function QueryBar({ q, onSearch }: { q: string; onSearch: (q: string) => void }) {
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSearch(text.trim());
  };
  return (
    <form onSubmit={submit}>
      <input
        className={styles.input}
        value={text}
        aria-label="Search profiles"
        placeholder="service:web env:prod -version:1.2 host:web-* thread:(MainThread OR worker)"
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      {text.trim() !== q && (
        <Button look="main" type="submit">
          Search
        </Button>
      )}
      {q !== '' && (
        <Button look="quiet" onClick={() => onSearch('')}>
          Clear filters
        </Button>
      )}
    </form>
  );
}
