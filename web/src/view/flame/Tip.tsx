import { type Flame, frameText } from '../../model/flame';
import styles from './FlameGraph.module.css';
import { facts } from './facts';

interface Props {
  flame: Flame;
  node: number;
  root: number;
  x: number;
  y: number;
}

const [width, height, gap] = [460, 150, 14];

/** Follows the pointer; turns to its other side at the window's edges. */
export function Tip({ flame, node, root, x, y }: Props) {
  const { name, place } = frameText(flame, node);
  const horizontal = x + gap + width > window.innerWidth ? { right: window.innerWidth - x + gap } : { left: x + gap };
  const vertical = y + gap + height > window.innerHeight ? { bottom: window.innerHeight - y + gap } : { top: y + gap };
  return (
    <div className={styles.tip} role="tooltip" style={{ ...horizontal, ...vertical }}>
      <h3>{name}</h3>
      {place && <p>{place}</p>}
      <dl className={styles.facts}>
        {facts(flame, node, root).map((fact) => (
          <div key={fact.label} style={{ display: 'contents' }}>
            <dt>{fact.label}</dt>
            <dd>{fact.value}</dd>
            <dd>{fact.share}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
