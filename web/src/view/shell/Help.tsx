import { type RefObject, useEffect } from 'react';
import { Button } from '../parts/Button';
import { isTyping } from '../parts/keys';
import styles from './Shell.module.css';

const keys: readonly (readonly [readonly string[], string])[] = [
  [['/'], 'search frames'],
  [['←', '→'], 'walk along a level'],
  [['↑', '↓'], 'to the caller, to the heaviest callee'],
  [['Enter'], 'zoom into the selected frame'],
  [['Backspace'], 'zoom out by one frame'],
  [['Esc'], 'clear the search, then the selection, then the zoom'],
  [['?'], 'this list'],
];

export function Help({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  useEffect(() => {
    const open = (event: KeyboardEvent) => {
      if (event.key !== '?' || isTyping(event)) return;
      event.preventDefault();
      dialog.current?.showModal();
    };
    document.addEventListener('keydown', open);
    return () => document.removeEventListener('keydown', open);
  }, [dialog]);
  return (
    <dialog ref={dialog} className={styles.help} aria-labelledby="help-title" closedby="any">
      <header>
        <h2 id="help-title">Keys in the flame graph</h2>
        <Button look="quiet" onClick={() => dialog.current?.close()}>
          Close
        </Button>
      </header>
      <dl className={styles.keys}>
        {keys.map(([names, meaning]) => (
          <div key={meaning} style={{ display: 'contents' }}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
