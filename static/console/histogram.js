// The histogram of failures: a time is chosen by dragging or with the arrow keys, and asked for by the form above it.
import { number } from './format.js';
import { setText } from './paint.js';

const chart = document.querySelector('#hist'), form = document.querySelector('#window');
const picture = chart?.querySelector('svg'), brush = chart?.querySelector('#brush');
const bars = [...(chart?.querySelectorAll('a') ?? [])], WIDE = 10;
let from = null, to = null; // places of bars; `from` is where it began

const failures = n => `${number(n)} failure${n === 1 ? '' : 's'}`;
const ends = () => [Math.min(from, to), Math.max(from, to)];

function say(text) {
  setText(document.querySelector('#hist-said'), text);
  document.querySelector('#hist-help').hidden = text !== '';
}

function show() {
  if (from === null) { brush.setAttribute('width', '0'); say(''); return; }
  const [first, last] = ends();
  brush.setAttribute('x', String(first * WIDE));
  brush.setAttribute('width', String((last - first + 1) * WIDE));
  const count = bars.slice(first, last + 1).reduce((sum, bar) => sum + Number(bar.dataset.count), 0);
  const { to: end } = bars[last].dataset; // none: what lies ahead of the clock stands in the last one
  const until = end ? `to ${end.slice(11)} UTC` : 'UTC and later';
  say(`${failures(count)}, ${bars[first].dataset.from.replace('T', ' ')} ${until}`);
}

function choose() {
  if (from === null) return;
  const [first, last] = ends();
  form.elements.from.value = bars[first].dataset.from;
  form.elements.to.value = bars[last].dataset.to;
  form.requestSubmit();
}

const placeOf = event => {
  const box = picture.getBoundingClientRect();
  return Math.max(0, Math.min(bars.length - 1, Math.floor((event.clientX - box.left) / box.width * bars.length)));
};

if (bars.length) {
  let dragging = false;
  chart.addEventListener('pointerdown', event => {
    if (event.button) return;
    dragging = true;
    from = to = placeOf(event);
    chart.setPointerCapture(event.pointerId);
    show();
  });
  chart.addEventListener('pointermove', event => {
    if (dragging) to = placeOf(event);
    else { from = to = placeOf(event); }
    show();
  });
  chart.addEventListener('pointerup', event => {
    if (!dragging) return;
    dragging = false;
    to = placeOf(event);
    choose();
  });
  chart.addEventListener('pointercancel', () => { dragging = false; from = to = null; show(); });
  chart.addEventListener('pointerleave', () => { if (!dragging && document.activeElement !== chart) { from = to = null; show(); } });
  chart.addEventListener('click', event => event.preventDefault()); // the bars' links are for those without scripts
  chart.addEventListener('dragstart', event => event.preventDefault());
  chart.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const end = { Home: 0, End: bars.length - 1 }[event.key];
    if (step || end !== undefined) {
      const next = end ?? (from === null ? bars.length - 1 : Math.max(0, Math.min(bars.length - 1, to + step)));
      if (event.shiftKey && from !== null) to = next; else from = to = next;
    } else if (event.key === 'Enter') choose();
    else if (event.key === 'Escape') from = to = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
    show();
  });
}
