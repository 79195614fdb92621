// The graph as rows, for screen readers: the path from the root to the selected frame, and what it calls. The arrow
// keys walk in it as they do in the picture.
import { at, childrenOf, type Flame, frameText, pathTo } from '../../model/flame';
import { percent, quantity } from '../../model/units';
import styles from './FlameGraph.module.css';

const mostChildren = 40;

export function twinRowId(node: number): string {
  return `frame-${node}`;
}

export function Twin({ flame, node }: { flame: Flame; node: number }) {
  const children = childrenOf(flame, node)
    .sort((a, b) => at(flame.value, b) - at(flame.value, a))
    .slice(0, mostChildren);
  return (
    <div className={styles.twin} role="rowgroup">
      {[...pathTo(flame, node), ...children].map((each) => {
        const { name, place } = frameText(flame, each);
        return (
          <div
            key={each}
            id={twinRowId(each)}
            role="row"
            tabIndex={-1}
            aria-level={at(flame.level, each) + 1}
            aria-selected={each === node}
          >
            <span role="gridcell">{place ? `${name}, ${place}` : name}</span>
            <span role="gridcell">total {quantity(at(flame.value, each), flame.unit)}</span>
            <span role="gridcell">{percent(at(flame.value, each), flame.total)} of total</span>
            <span role="gridcell">self {quantity(at(flame.self, each), flame.unit)}</span>
          </div>
        );
      })}
    </div>
  );
}
