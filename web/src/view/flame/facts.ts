// What is said of a frame, in the tooltip, in the bar below the graph and to screen readers.
import { at, type Flame } from '../../model/flame';
import { percent, quantity } from '../../model/units';

export interface Fact {
  label: string;
  value: string;
  share: string;
}

export function facts(flame: Flame, node: number, root: number): Fact[] {
  const [self, value] = [at(flame.self, node), at(flame.value, node)];
  const up = at(flame.parent, node);
  const result: Fact[] = [
    { label: 'Self', value: quantity(self, flame.unit), share: percent(self, flame.total) },
    { label: 'Total', value: quantity(value, flame.unit), share: percent(value, flame.total) },
  ];
  if (up >= 0) result.push({ label: 'of its caller', value: '', share: percent(value, at(flame.value, up)) });
  if (root > 0 && root !== node)
    result.push({ label: 'of the zoomed frame', value: '', share: percent(value, at(flame.value, root)) });
  return result;
}
