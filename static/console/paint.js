// Painting: the colours of the theme, and one frame for all painters; nothing while the page is hidden.
import { visible } from './format.js';

const painters = [];
let pending = 0;

/** Adds a function that paints, and asks for a frame. */
export function painter(paint) { painters.push(paint); schedule(); }

export function schedule() {
  if (pending || document.hidden) return;
  pending = requestAnimationFrame(() => { pending = 0; for (const paint of painters) paint(); });
}

/** Writes a text only when it changed: an unchanged write still costs layout. */
export function setText(element, text) {
  const shown = visible(text);
  if (element && element.textContent !== shown) element.textContent = shown;
}

const TOKENS = ['ink', 'ink-2', 'ink-3', 'line', 'line-2', 'card', 'accent', 'bad', 'warn', 'info', 'c-critical', 'c-high', 'c-medium', 'c-low'];
/** Token → computed colour; canvas knows no custom properties. Read again at each change of theme. */
export const palette = {};
export function readPalette() {
  const probe = document.createElement('i');
  probe.hidden = true;
  document.body.append(probe);
  for (const name of TOKENS) {
    probe.style.color = `var(--${name})`;
    palette[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  schedule();
}
export const fade = (colour, alpha) => colour.startsWith('rgb(') ? colour.replace('rgb(', 'rgba(').replace(')', `, ${alpha})`) : colour;

readPalette();
new ResizeObserver(schedule).observe(document.body);
document.addEventListener('visibilitychange', schedule);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', readPalette);
