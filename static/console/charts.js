// Charts on canvas: sparks and one chart of stacked areas, lines and bars over time.
import { clock, millis, number, short, tick, visible } from './format.js';
import { fade, palette, schedule } from './paint.js';

const FONT = '11px Inter, ui-sans-serif, system-ui, sans-serif';
const PIXELS_PER_POINT = 3; // finer than this the eye sees noise, and the paint costs twice as much

/** Sizes the bitmap to the box and the screen; returns [context, width, height] in CSS pixels. */
function fit(canvas) {
  const d = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * d) || canvas.height !== Math.round(h * d)) {
    canvas.width = Math.round(w * d);
    canvas.height = Math.round(h * d);
  }
  const x = canvas.getContext('2d');
  x.setTransform(d, 0, 0, d, 0, 0);
  x.clearRect(0, 0, w, h);
  return [x, w, h];
}

const axis = n => n >= 1e6 ? `${+(n / 1e6).toFixed(1)}M` : n >= 1e3 ? `${+(n / 1e3).toFixed(1)}k` : String(+n.toFixed(2));
/** A power of ten of seconds: "1 ms", "10 s", "1000 s". */
const unit = n => n < 0.9 ? `${+(n * 1000).toPrecision(2)} ms` : `${+n.toPrecision(2)} s`;
const mean = values => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The next round number that an axis can end with so that its four parts are whole: there is no half job. */
export function nice(most) {
  const e = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 1.2, 1.6, 2, 2.4, 3, 3.2, 4, 6, 8, 10, 12].map(k => Math.round(k * e)).find(n => n >= most && n % 4 === 0);
}

/** A scale of seconds by powers of ten: [the least, the most], of which the values are between. */
export function decades(values) {
  const known = values.filter(v => v > 0);
  if (!known.length) return [0.001, 1];
  const low = Math.floor(Math.log10(Math.min(...known))), high = Math.ceil(Math.log10(Math.max(...known)));
  return [10 ** low, 10 ** Math.max(high, low + 1)];
}

/** At most `points` values, each the mean of its slice. */
function thin(values, points) {
  if (values.length <= points) return values;
  return Array.from({ length: points }, (_, i) =>
    mean(values.slice(Math.floor(i * values.length / points), Math.floor((i + 1) * values.length / points))));
}

/** Index ranges without a hole: while nothing ran, nothing is known, and no line is drawn. */
function runs(times) {
  const steps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  const hole = Math.max(5, 4 * (steps[Math.floor(steps.length / 2)] ?? 0)), found = [[0, 0]];
  for (let i = 1; i < times.length; i++) {
    if (times[i] - times[i - 1] > hole) found.push([i, i]);
    found.at(-1)[1] = i;
  }
  return found;
}

/** The parts of a range of points in which the curve has values. */
function known(curve, [first, last]) {
  const found = [];
  for (let i = first; i <= last; i++) {
    if (curve[i] === null) continue;
    if (found.at(-1)?.[1] === i - 1) found.at(-1)[1] = i; else found.push([i, i]);
  }
  return found;
}

export function spark(canvas, values, colour) {
  if (!canvas || !canvas.clientWidth) return;
  const [x, w, h] = fit(canvas), v = thin(values, Math.max(2, Math.round(w / PIXELS_PER_POINT)));
  if (v.length < 2) return;
  const top = Math.max(...v), low = Math.min(...v), range = Math.max((top - low) * 1.25, top * 0.12) || 1;
  const floor = Math.max(0, (top + low - range) / 2);
  const X = i => i / (v.length - 1) * w, Y = n => h - 3 - (n - floor) / range * (h - 7);
  x.beginPath();
  v.forEach((n, i) => i ? x.lineTo(X(i), Y(n)) : x.moveTo(X(i), Y(n)));
  x.strokeStyle = colour; x.lineWidth = 1.5; x.lineJoin = 'round'; x.stroke();
  x.lineTo(w, h); x.lineTo(0, h);
  const shade = x.createLinearGradient(0, 0, 0, h);
  shade.addColorStop(0, fade(colour, 0.2)); shade.addColorStop(1, fade(colour, 0));
  x.fillStyle = shade; x.fill();
}

/**
 * A chart in `element`. series: [{name, colour: token, get: row → number, bars?: on the right axis, dash?: of its line}].
 * options: stack (areas on top of each other), gap (red where series 0 is above series 1), seconds (durations on a
 * scale of powers of ten; of several rows at one point the longest; null: nothing is known).
 */
export class Chart {
  constructor(element, series, options = {}) {
    Object.assign(this, { element, series, options, hover: null });
    this.lines = series.filter(s => !s.bars);
    this.bars = series.filter(s => s.bars);
    this.canvas = element.appendChild(document.createElement('canvas'));
    this.tip = element.appendChild(document.createElement('div'));
    this.tip.className = 'tip';
    this.tip.hidden = true;
    element.addEventListener('pointermove', event => { this.hover = event.offsetX; schedule(); });
    element.addEventListener('pointerleave', () => { this.hover = null; schedule(); });
  }

  /** rows: oldest first, each with `at` in Unix seconds; marks: {at, text}, each a line. */
  draw(rows, marks = []) {
    const { canvas, lines, bars, options } = this;
    if (!canvas.clientWidth) return;
    const [x, w, h] = fit(canvas);
    if (rows.length < 2) { this.tip.hidden = true; return; }
    const step = Math.max(1, Math.ceil(rows.length / (w / PIXELS_PER_POINT))), points = [];
    for (let i = rows.length % step; i < rows.length; i += step) points.push(rows.slice(i, i + step));
    const times = points.map(slice => slice.at(-1).at), value = (slice, s) => this.#value(slice, s);
    const sums = points.map(() => 0);
    const curves = lines.map(s => points.map((slice, i) => options.stack ? sums[i] += value(slice, s) : value(slice, s)));
    const heights = bars.map(s => points.map(slice => value(slice, s)));
    const L = options.seconds ? 54 : 42, R = bars.length ? 38 : 14, T = 10, B = 22;
    const area = { x, w, h, L, R, T, pw: w - L - R, ph: h - T - B };
    if (options.seconds) [area.min, area.max] = decades(curves.flat());
    else area.max = nice(Math.max(1, ...curves.flat()) * 1.04);
    area.right = bars.length ? nice(Math.max(1, ...heights.flat()) * 1.04) : 0;
    const from = times[0], span = area.span = times.at(-1) - from || 1;
    area.X = i => L + (times[i] - from) / span * area.pw;
    area.runs = runs(times);
    const part = options.seconds ? v => Math.log10(Math.max(v, area.min) / area.min) / Math.log10(area.max / area.min) : v => v / area.max;
    area.Y = v => T + area.ph - part(v) * area.ph;
    this.#grid(area);
    this.#clockface(area, from, span);
    bars.forEach((s, k) => this.#columns(area, heights[k], palette[s.colour]));
    if (options.gap) this.#gap(area, curves);
    for (let k = curves.length - 1; k >= 0; k--) this.#curve(area, curves, k);
    this.#marks(area, marks, from, span);
    this.#tooltip(area, points, times);
  }

  /** What happened: a dotted line, and its words as far as there is room for them. */
  #marks({ x, w, L, R, T, ph, pw }, marks, from, span) {
    let free = w;
    x.font = FONT; x.textBaseline = 'top'; x.lineWidth = 1;
    for (const mark of marks.filter(m => m.at >= from && m.at <= from + span).toReversed()) {
      const at = Math.round(L + (mark.at - from) / span * pw) + 0.5;
      x.strokeStyle = palette['ink-2']; x.setLineDash([2, 3]);
      x.beginPath(); x.moveTo(at, T); x.lineTo(at, T + ph); x.stroke();
      x.setLineDash([]);
      const text = visible(mark.text), wide = x.measureText(text).width, left = at - wide - 6 > L;
      if (!left && at + wide + 6 > w - R || (left ? at : at + wide + 6) > free) continue;
      x.fillStyle = palette.card;
      x.fillRect(left ? at - wide - 8 : at + 4, T - 2, wide + 4, 15);
      x.fillStyle = palette['ink-2']; x.textAlign = left ? 'right' : 'left';
      x.fillText(text, left ? at - 6 : at + 6, T);
      free = left ? at - wide - 12 : at;
    }
  }

  #value(rows, { get }) {
    if (!this.options.seconds) return mean(rows.map(get));
    const known = rows.map(get).filter(v => v !== null);
    return known.length ? Math.max(...known) : null;
  }

  #grid({ x, w, L, R, min, max, right, Y }) {
    x.font = FONT; x.textBaseline = 'middle'; x.lineWidth = 1;
    const lines = this.options.seconds ? Math.round(Math.log10(max / min)) : 4;
    for (let i = 0; i <= lines; i++) {
      const value = this.options.seconds ? min * 10 ** i : max * i / lines, y = Math.round(Y(value)) + 0.5;
      x.strokeStyle = palette['line-2'];
      x.beginPath(); x.moveTo(L, y); x.lineTo(w - R, y); x.stroke();
      x.fillStyle = palette['ink-3']; x.textAlign = 'right';
      x.fillText(this.options.seconds ? unit(value) : axis(value), L - 8, y);
      if (right && i % 2 === 0) { x.textAlign = 'left'; x.fillStyle = palette.bad; x.fillText(axis(right * i / 4), w - R + 8, y); }
    }
  }

  #clockface({ x, h, pw, L }, from, span) {
    const marks = Math.max(2, Math.floor(pw / 120));
    x.textBaseline = 'alphabetic'; x.fillStyle = palette['ink-3'];
    for (let i = 0; i <= marks; i++) {
      x.textAlign = i === 0 ? 'left' : i === marks ? 'right' : 'center';
      x.fillText(tick(from + span * i / marks, span), L + pw * i / marks, h - 6);
    }
  }

  #columns({ x, L, pw, ph, T, X, right }, values, colour) {
    const width = Math.max(1, pw / Math.max(values.length, 60) - 0.6);
    x.fillStyle = fade(colour, 0.55);
    values.forEach((v, i) => {
      const height = Math.min(1, v / right) * ph;
      // The first and the last are half a column: the axes' numbers stand beside them.
      const from = Math.max(L, X(i) - width / 2), to = Math.min(L + pw, X(i) + width / 2);
      x.fillRect(from, T + ph - height, to - from, height);
    });
  }

  /** Where more comes in than goes out. */
  #gap({ x, X, Y, runs }, [over, under]) {
    x.fillStyle = fade(palette.bad, 0.22);
    const begins = new Set(runs.map(([first]) => first));
    for (let i = 1; i < over.length; i++) {
      if (over[i] <= under[i] || begins.has(i)) continue;
      x.beginPath();
      x.moveTo(X(i - 1), Y(Math.max(over[i - 1], under[i - 1])));
      x.lineTo(X(i), Y(over[i])); x.lineTo(X(i), Y(under[i])); x.lineTo(X(i - 1), Y(under[i - 1]));
      x.fill();
    }
  }

  #curve({ x, X, Y, runs }, curves, k) {
    const colour = palette[this.lines[k].colour], curve = curves[k];
    x.setLineDash(this.lines[k].dash ?? []);
    for (const [first, last] of runs.flatMap(run => known(curve, run))) {
      const along = () => { x.beginPath(); for (let i = first; i <= last; i++) i > first ? x.lineTo(X(i), Y(curve[i])) : x.moveTo(X(i), Y(curve[i])); };
      if (this.options.stack) {
        along();
        for (let i = last; i >= first; i--) x.lineTo(X(i), Y(k ? curves[k - 1][i] : 0));
        x.fillStyle = fade(colour, 0.3); x.fill();
      }
      along();
      // One alone would be no line.
      if (first === last) x.lineTo(X(first) + 1.6, Y(curve[first]));
      x.strokeStyle = colour; x.lineWidth = 1.6; x.lineJoin = 'round'; x.stroke();
    }
    x.setLineDash([]);
  }

  #tooltip({ x, w, L, T, ph, X, span }, points, times) {
    if (this.hover === null || this.hover < L) { this.tip.hidden = true; return; }
    let j = 0;
    times.forEach((_, i) => { if (Math.abs(X(i) - this.hover) < Math.abs(X(j) - this.hover)) j = i; });
    x.strokeStyle = palette['ink-3']; x.lineWidth = 1;
    x.beginPath(); x.moveTo(X(j), T); x.lineTo(X(j), T + ph); x.stroke();
    const rows = this.series.flatMap(s => {
      const figure = document.createElement('b'), v = this.#value(points[j], s);
      figure.textContent = this.options.seconds ? millis(v ?? NaN) : v < 10 && v % 1 ? v.toFixed(1) : v < 1e4 ? number(v) : short(v);
      return [document.createElement('br'), s.name, figure];
    });
    this.tip.hidden = false;
    this.tip.replaceChildren(span > 90_000 ? tick(times[j], span) : clock(times[j], true), ...rows);
    const wide = this.tip.offsetWidth;
    this.tip.style.left = `${X(j) + wide + 24 > w ? X(j) - wide - 10 : X(j) + 12}px`;
    this.tip.style.top = '14px';
  }
}
