// What is said where there is nothing to draw: errors, emptiness, and bars above what is drawn.
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError, fetchNewest } from '../../api/client';
import { ago } from '../../model/units';
import { Button } from './Button';
import { Copy } from './Copy';
import styles from './Notice.module.css';
import { refreshMs, waitingMs } from './refresh';

export function Notice({ title, children, danger = false }: { title: string; children: ReactNode; danger?: boolean }) {
  return (
    <section
      className={danger ? `${styles.notice} ${styles.danger}` : styles.notice}
      role={danger ? 'alert' : undefined}
    >
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function asApiError(error: Error): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'page_error', error.message, 'Reload the page.');
}

/** Said only where an answer takes long enough to wonder. */
export function Loading() {
  return (
    <p className={styles.loading} aria-busy="true">
      Loading…
    </p>
  );
}

/** The whole view failed. */
export function ErrorNotice({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { status, code, message, hint, requestId } = asApiError(error);
  return (
    <Notice title={message} danger>
      {hint && <p>{hint}</p>}
      <p className={styles.meta}>
        {code}
        {status > 0 && ` · HTTP ${status}`}
        {requestId && ` · request ${requestId}`}
      </p>
      <div className={styles.actions}>
        <Button look="main" onClick={onRetry}>
          Retry
        </Button>
      </div>
    </Notice>
  );
}

/** A refresh failed, and what was there before is still shown. */
export function ErrorBar({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const { code, message, hint } = asApiError(error);
  return (
    <div className={`${styles.bar} ${styles.danger}`} role="alert">
      <p>
        {message} {hint} <code>{code}</code>
      </p>
      <Button onClick={onRetry}>Retry</Button>
    </div>
  );
}

export function Bar({ children }: { children: ReactNode }) {
  return <div className={styles.bar}>{children}</div>;
}

export function Actions({ children }: { children: ReactNode }) {
  return <div className={styles.actions}>{children}</div>;
}

/** The command that sends a first profile to the server this page came from. */
export function firstCommand(origin: string): string {
  const usual = origin === 'http://127.0.0.1:8126' || origin === 'http://localhost:8126';
  const agent = usual ? '' : `DD_TRACE_AGENT_URL=${origin} `;
  return `${agent}DD_PROFILING_ENABLED=true DD_SERVICE=my-service ddtrace-run python app.py`;
}

function FirstSteps() {
  const command = firstCommand(location.origin);
  return (
    <Notice title="No profile yet">
      <p>Run a Python program with this command. Its first profile arrives after about ten seconds.</p>
      <div className={styles.command}>
        <pre>
          <code>{command}</code>
        </pre>
        <Copy text={command} />
      </div>
      <p className={styles.waiting}>
        <span className={styles.pulse} />
        Waiting for the first profile…
      </p>
    </Notice>
  );
}

interface EmptyProps {
  /** What the search says, or empty. */
  q: string;
  onClearFilters: () => void;
  onShow: (from: string, to: string) => void;
}

/** Nothing was found: says why, and what to do. */
export function EmptyNotice({ q, onClearFilters, onShow }: EmptyProps) {
  const newest = useQuery({
    queryKey: ['newest'],
    queryFn: ({ signal }) => fetchNewest(signal),
    refetchInterval: (query) => (query.state.data ? refreshMs : waitingMs),
    staleTime: 0,
  });
  if (newest.isPending) return null;
  if (newest.isError) return <ErrorNotice error={newest.error} onRetry={() => void newest.refetch()} />;
  if (newest.data === null) return <FirstSteps />;
  const endMs = Date.parse(newest.data.end);
  const aroundIt = () => onShow(new Date(endMs - 3_540_000).toISOString(), new Date(endMs + 60_000).toISOString());
  return (
    <Notice title={q ? 'Nothing matches these filters' : 'No profile in this time range'}>
      {q && <p className={styles.meta}>{q}</p>}
      <p>
        The newest profile is of <strong>{newest.data.service}</strong>, {ago(endMs, Date.now())}.
      </p>
      <div className={styles.actions}>
        {q && (
          <Button look="main" onClick={onClearFilters}>
            Clear filters
          </Button>
        )}
        <Button look={q ? 'plain' : 'main'} onClick={aroundIt}>
          Show the hour around it
        </Button>
      </div>
    </Notice>
  );
}
