import { type Flame, frameText } from '../../model/flame';
import { facts } from '../flame/facts';
import { Button } from '../parts/Button';
import { Copy } from '../parts/Copy';
import styles from './Explore.module.css';

interface Props {
  flame: Flame;
  root: number;
  selected: number | null;
  onZoom: (node: number) => void;
}

/** The selected frame in words and numbers. */
export function FrameBar({ flame, root, selected, onZoom }: Props) {
  if (selected === null)
    return (
      <div className={styles.status}>
        <p className={styles.muted}>
          Click a frame to zoom. Arrow keys walk, <kbd>Enter</kbd> zooms in, <kbd>Backspace</kbd> out, <kbd>?</kbd>{' '}
          lists all keys.
        </p>
      </div>
    );
  const { name, place } = frameText(flame, selected);
  return (
    <div className={styles.status}>
      <div className={styles.frame} title={place ? `${name}\n${place}` : name}>
        <strong>{name}</strong>
        <span>{place || '\u00a0'}</span>
      </div>
      <dl className={styles.facts}>
        {facts(flame, selected, root).map((fact) => (
          <div key={fact.label}>
            <dt>{fact.label}</dt>
            <dd>
              {fact.value} <span>{fact.share}</span>
            </dd>
          </div>
        ))}
      </dl>
      {selected !== root && <Button onClick={() => onZoom(selected)}>Zoom</Button>}
      <Copy text={place ? `${name} (${place})` : name} />
    </div>
  );
}
