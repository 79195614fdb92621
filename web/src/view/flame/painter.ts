// Draws a flame graph on a canvas. Boxes are laid out by model/layout, sorted into buckets of one colour each, and a
// bucket is drawn at once: changing the fill is what costs on a canvas. Knows nothing of React.

import type { Found } from '../../model/find';
import { at, type Flame, frameText } from '../../model/flame';
import { type Boxes, layout, newBoxes } from '../../model/layout';
import { colourNames } from '../../model/palette';
import { quantity } from '../../model/units';

export const rowHeight = 20;
const textInset = 4;
const leastTextWidth = 26;

export interface Scene {
  flame: Flame;
  colours: Uint8Array;
  root: number;
  found: Found | null;
  /** A function picked in the table: all others step back. */
  highlight: number | null;
  width: number;
  height: number;
  scrollTop: number;
}

interface Theme {
  fills: string[];
  texts: string[];
  surface: string;
  font: string;
}

/** One bucket a colour, one for matches; each twice: in front, and stepped back. */
const matchBucket = colourNames.length;
const bucketCount = colourNames.length + 1;

function readTheme(element: Element): Theme {
  const style = getComputedStyle(element);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    fills: [...colourNames.map((name) => token(`flame-${name}`)), token('flame-match')],
    texts: [...colourNames.map((name) => token(`flame-${name.replace(/-\d+$/, '')}-text`)), token('flame-match-text')],
    surface: token('surface'),
    font: `11px ${token('font-code')}`,
  };
}

const plainText = /^[\x20-\x7e]*$/;

export class Painter {
  private readonly context: CanvasRenderingContext2D | null;
  private theme: Theme;
  private boxes: Boxes = newBoxes();
  private next = new Int32Array(0);
  private charWidth = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d', { alpha: false });
    this.theme = readTheme(canvas);
  }

  /** Reads the colours again: light became dark, or the other way round. */
  retheme(): void {
    this.theme = readTheme(this.canvas);
    this.charWidth = 0;
  }

  draw(scene: Scene): void {
    const { context, canvas } = this;
    if (!context) return;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(scene.width * ratio), Math.round(scene.height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = this.theme.surface;
    context.fillRect(0, 0, scene.width, scene.height);
    context.font = this.theme.font;
    context.textBaseline = 'middle';
    if (this.charWidth === 0) this.charWidth = context.measureText('0'.repeat(20)).width / 20;

    const levelFrom = Math.floor(scene.scrollTop / rowHeight);
    const levelTo = Math.ceil((scene.scrollTop + scene.height) / rowHeight);
    this.boxes = layout(scene.flame, { root: scene.root, width: scene.width, levelFrom, levelTo }, this.boxes);
    const heads = this.sort(scene);
    for (const back of [true, false])
      for (let bucket = 0; bucket < bucketCount; bucket++) {
        const head = at(heads, bucket * 2 + (back ? 1 : 0));
        if (head >= 0) this.drawBucket(context, scene, bucket, back, head, ratio);
      }
  }

  /** Links the boxes of each bucket into a chain, and gives the chains' heads. */
  private sort(scene: Scene): Int32Array {
    const { boxes } = this;
    const { flame, colours, found, highlight, root } = scene;
    if (this.next.length < boxes.count) this.next = new Int32Array(boxes.node.length);
    const heads = new Int32Array(bucketCount * 2).fill(-1);
    const rootLevel = at(flame.level, root);
    for (let i = 0; i < boxes.count; i++) {
      const node = at(boxes.node, i);
      const fn = at(flame.fn, node);
      let bucket = at(colours, fn);
      let back = at(flame.level, node) < rootLevel;
      if (found) {
        const matches = at(found.matchesBefore, at(boxes.until, i)) > at(found.matchesBefore, at(boxes.from, i));
        if (matches) bucket = matchBucket;
        else back = true;
      }
      if (highlight !== null) back = fn !== highlight;
      const chain = bucket * 2 + (back ? 1 : 0);
      this.next[i] = at(heads, chain);
      heads[chain] = i;
    }
    return heads;
  }

  private drawBucket(
    context: CanvasRenderingContext2D,
    scene: Scene,
    bucket: number,
    back: boolean,
    head: number,
    ratio: number,
  ): void {
    const { boxes, next, theme } = this;
    const pixel = 1 / ratio;
    const top = (i: number) => at(scene.flame.level, at(boxes.node, i)) * rowHeight - scene.scrollTop;
    context.globalAlpha = back ? 0.38 : 1;
    context.fillStyle = theme.fills[bucket] ?? theme.surface;
    for (let i = head; i >= 0; i = at(next, i)) {
      const x = Math.round(at(boxes.x, i) * ratio) / ratio;
      const right = Math.round((at(boxes.x, i) + at(boxes.width, i)) * ratio) / ratio;
      const width = right - x;
      context.fillRect(x, top(i), Math.max(pixel, width > 2 ? width - pixel : width), rowHeight - 1);
    }
    context.globalAlpha = back ? 0.62 : 1;
    context.fillStyle = theme.texts[bucket] ?? theme.surface;
    for (let i = head; i >= 0; i = at(next, i))
      if (at(boxes.width, i) >= leastTextWidth) this.drawText(context, scene.flame, i, top(i) + rowHeight / 2);
  }

  private drawText(context: CanvasRenderingContext2D, flame: Flame, i: number, y: number): void {
    const { boxes } = this;
    const room = at(boxes.width, i) - 2 * textInset;
    const node = at(boxes.node, i);
    const { name, place } = frameText(flame, node);
    const left = at(boxes.x, i) + textInset;
    const fitted = this.fit(context, name, room);
    if (!fitted) return;
    context.fillText(fitted, left, y);
    const rest = room - (name.length + 2) * this.charWidth;
    const short =
      node === 0
        ? quantity(flame.total, flame.unit)
        : place.slice(Math.max(place.lastIndexOf('/'), place.lastIndexOf('\\')) + 1);
    if (fitted !== name || !short || rest < short.length * this.charWidth) return;
    const alpha = context.globalAlpha;
    context.globalAlpha = alpha * 0.66;
    context.fillText(short, left + context.measureText(name).width + 2 * this.charWidth, y);
    context.globalAlpha = alpha;
  }

  /** As much of the text as there is room for; in a fixed-width font that is arithmetic. */
  private fit(context: CanvasRenderingContext2D, text: string, room: number): string {
    const chars = Math.floor(room / this.charWidth);
    if (plainText.test(text)) {
      if (text.length <= chars) return text;
      return chars < 3 ? '' : `${text.slice(0, chars - 1)}…`;
    }
    let kept = [...text].slice(0, chars);
    if (kept.length === [...text].length && context.measureText(text).width <= room) return text;
    while (kept.length > 1 && context.measureText(`${kept.join('')}…`).width > room) kept = kept.slice(0, -1);
    return kept.length < 2 ? '' : `${kept.join('')}…`;
  }
}
