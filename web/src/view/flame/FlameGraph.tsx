// The flame graph: a canvas in a scrolling box, the marks over it, the pointer and the keys.
import { type KeyboardEvent, type MouseEvent, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { Found } from '../../model/find';
import { at, type Flame, frameKey, type Step, stepFrom } from '../../model/flame';
import { nodeAt } from '../../model/layout';
import styles from './FlameGraph.module.css';
import { Painter, rowHeight } from './painter';
import { Tip } from './Tip';
import { Twin, twinRowId } from './Twin';

interface Props {
  flame: Flame;
  colours: Uint8Array;
  root: number;
  selected: number | null;
  highlight: number | null;
  found: Found | null;
  /** The picture is of before: what was asked for is still on its way. */
  old: boolean;
  onZoom: (node: number) => void;
  onSelect: (node: number) => void;
}

interface Hover {
  flame: Flame;
  node: number;
  x: number;
  y: number;
}

const steps: Readonly<Record<string, Step>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};

function useSize(element: React.RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const box = element.current;
    if (!box) return;
    const measure = () => setSize({ width: box.clientWidth, height: box.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, [element]);
  return size;
}

/** Calls back when light turns dark, and when the window moves to a screen of other density. */
function useLookChange(changed: () => void): void {
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    dark.addEventListener('change', changed);
    density.addEventListener('change', changed);
    return () => {
      dark.removeEventListener('change', changed);
      density.removeEventListener('change', changed);
    };
  }, [changed]);
}

/** The box of a node in the picture, in pixels of the scrolled content. */
function boxOf(flame: Flame, root: number, width: number, node: number) {
  const scale = width / at(flame.value, root);
  const left = Math.max(0, (at(flame.start, node) - at(flame.start, root)) * scale);
  const right = Math.min(width, (at(flame.start, node) + at(flame.value, node) - at(flame.start, root)) * scale);
  if (right < 0 || left > width) return null;
  return { left, top: at(flame.level, node) * rowHeight, width: Math.max(3, right - left), height: rowHeight - 1 };
}

export function FlameGraph({ flame, colours, root, selected, highlight, found, old, onZoom, onSelect }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter | null>(null);
  const size = useSize(scroll);
  const [hover, setHover] = useState<Hover | null>(null);

  const draw = useCallback(() => {
    if (!canvas.current || !scroll.current || size.width === 0) return;
    painter.current ??= new Painter(canvas.current);
    painter.current.draw({ flame, colours, root, found, highlight, ...size, scrollTop: scroll.current.scrollTop });
  }, [flame, colours, root, found, highlight, size]);

  useLayoutEffect(draw, [draw]);
  useLookChange(
    useCallback(() => {
      painter.current?.retheme();
      draw();
    }, [draw]),
  );

  // What was zoomed into comes into sight with two of its callers above it, and so does what is selected by a key. A
  // refresh that changes neither leaves the scrolling alone.
  const shown = useRef({ root: '', selected: '' });
  useLayoutEffect(() => {
    const key = frameKey(flame, root);
    const box = scroll.current;
    if (!box || key === shown.current.root) return;
    shown.current.root = key;
    setHover(null);
    const top = at(flame.level, root) * rowHeight;
    if (top < box.scrollTop || top > box.scrollTop + box.clientHeight / 3) box.scrollTop = top - 2 * rowHeight;
  }, [flame, root]);
  useLayoutEffect(() => {
    const key = selected === null ? '' : frameKey(flame, selected);
    const box = scroll.current;
    if (!box || key === shown.current.selected) return;
    shown.current.selected = key;
    if (selected === null) return;
    const top = at(flame.level, selected) * rowHeight;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + rowHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight - box.clientHeight;
  }, [flame, selected]);

  const nodeUnder = (event: MouseEvent): number | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box || !scroll.current) return null;
    const level = Math.floor((event.clientY - box.top + scroll.current.scrollTop) / rowHeight);
    return nodeAt(flame, root, size.width, event.clientX - box.left, level);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = steps[event.key];
    const current = selected ?? root;
    if (step) onSelect(selected === null ? root : stepFrom(flame, root, current, step));
    else if (event.key === 'Enter') onZoom(current);
    else if (event.key === 'Backspace') onZoom(Math.max(0, at(flame.parent, root)));
    else return;
    event.preventDefault();
  };

  const selectedBox = selected === null ? null : boxOf(flame, root, size.width, selected);
  const hovered = hover?.flame === flame ? hover : null; // not a frame of before a refresh
  const hoverBox = hovered && boxOf(flame, root, size.width, hovered.node);
  return (
    <>
      <div
        ref={scroll}
        className={old ? `${styles.scroll} ${styles.old}` : styles.scroll}
        role="treegrid"
        tabIndex={0}
        aria-label="Flame graph"
        aria-busy={old}
        aria-readonly="true"
        aria-activedescendant={twinRowId(selected ?? root)}
        onScroll={draw}
        onKeyDown={onKeyDown}
        onMouseLeave={() => setHover(null)}
        onMouseMove={(event) => {
          const node = nodeUnder(event);
          setHover(node === null ? null : { flame, node, x: event.clientX, y: event.clientY });
        }}
        onClick={(event) => {
          const node = nodeUnder(event);
          if (node !== null) onZoom(node);
        }}
      >
        <div className={styles.tall} style={{ height: Math.max(size.height, flame.depth * rowHeight + 8) }}>
          <canvas ref={canvas} className={styles.canvas} style={{ height: size.height }} aria-hidden="true" />
          {hoverBox && <div className={`${styles.mark} ${styles.hover}`} style={hoverBox} />}
          {selectedBox && <div className={`${styles.mark} ${styles.selected}`} style={selectedBox} />}
        </div>
        <Twin flame={flame} node={selected ?? root} />
      </div>
      {hovered && <Tip flame={flame} node={hovered.node} root={root} x={hovered.x} y={hovered.y} />}
    </>
  );
}
