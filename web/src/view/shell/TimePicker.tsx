// The time range: presets, a field that reads what people write, and two dates. What is chosen goes to the address.
import { type FormEvent, useId, useRef, useState } from 'react';
import { isRelative, localInput, parseRange, pinned, presets, type Range, rangeLabel } from '../../model/time';
import { Button } from '../parts/Button';
import styles from './Shell.module.css';

interface Props {
  range: Range;
  onChange: (range: Range) => void;
}

function RangeField({ range, onChange }: Props) {
  const id = useId();
  const [text, setText] = useState(`${range.from} to ${range.to}`);
  const [problem, setProblem] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const parsed = parseRange(text, Date.now());
    setProblem(parsed ? '' : 'Not understood. For example: last 15m · now-2h to now-1h · yesterday');
    if (parsed) onChange(parsed);
  };
  return (
    <form onSubmit={submit}>
      <label htmlFor={id}>Range</label>
      <input
        id={id}
        value={text}
        spellCheck={false}
        autoComplete="off"
        placeholder="last 15m · now-2h to now-1h · 2026-11-25 10:00 to now"
        aria-invalid={problem !== ''}
        aria-describedby={problem ? `${id}-problem` : undefined}
        onChange={(event) => setText(event.target.value)}
      />
      {problem && (
        <p id={`${id}-problem`} className={styles.problem}>
          {problem}
        </p>
      )}
    </form>
  );
}

function Dates({ range, onChange }: Props) {
  const id = useId();
  const [from, setFrom] = useState(() => localInput(range.from, Date.now()));
  const [to, setTo] = useState(() => localInput(range.to, Date.now()));
  const chosen = parseRange(`${from} to ${to}`, Date.now());
  return (
    <div className={styles.absolute}>
      <div>
        <label htmlFor={`${id}-from`}>From</label>
        <input
          id={`${id}-from`}
          type="datetime-local"
          step="1"
          value={from}
          onChange={(e) => setFrom(e.target.value)}
        />
      </div>
      <div>
        <label htmlFor={`${id}-to`}>To</label>
        <input id={`${id}-to`} type="datetime-local" step="1" value={to} onChange={(e) => setTo(e.target.value)} />
      </div>
      <Button look="main" disabled={chosen === null} onClick={() => chosen && onChange(chosen)}>
        Apply
      </Button>
      <p className={styles.zone}>Time zone: {Intl.DateTimeFormat().resolvedOptions().timeZone}</p>
    </div>
  );
}

export function TimePicker({ range, onChange }: Props) {
  const popover = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const [opened, setOpened] = useState(0); // the fields start afresh each time it opens
  const choose = (next: Range) => {
    popover.current?.hidePopover();
    onChange(next);
  };
  const place = () => {
    const box = opener.current?.getBoundingClientRect();
    if (!box || !popover.current) return;
    popover.current.style.top = `${box.bottom + 4}px`;
    popover.current.style.right = `${document.documentElement.clientWidth - box.right}px`;
  };
  const now = Date.now();
  const live = isRelative(range);
  return (
    <div className={styles.range}>
      <Button
        aria-pressed={live}
        title={live ? 'Refreshes every 30 s. Click to hold these times still.' : 'Held still. Click for the last hour.'}
        onClick={() => onChange(live ? pinned(range, now) : { from: 'now-1h', to: 'now' })}
      >
        {live && <span className={styles.live} />}
        {live ? 'Live' : 'Held'}
      </Button>
      <Button ref={opener} popoverTarget="time-range" aria-label={`Time range: ${rangeLabel(range, now)}`}>
        {rangeLabel(range, now)} ▾
      </Button>
      <div
        ref={popover}
        id="time-range"
        popover="auto"
        className={styles.picker}
        onBeforeToggle={(event) => {
          if (event.newState !== 'open') return;
          place();
          setOpened((count) => count + 1);
        }}
      >
        <RangeField key={`field-${opened}`} range={range} onChange={choose} />
        <h3>Up to now</h3>
        <div className={styles.presets}>
          {presets.map((preset) => (
            <Button
              key={preset.from}
              aria-pressed={preset.from === range.from && preset.to === range.to}
              title={rangeLabel(preset, now)}
              onClick={() => choose(preset)}
            >
              {preset.from.slice(4)}
            </Button>
          ))}
        </div>
        <h3>Fixed</h3>
        <Dates key={`dates-${opened}`} range={range} onChange={choose} />
      </div>
    </div>
  );
}
