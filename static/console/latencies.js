// How long jobs waited for a claim and ran, as percentiles over the page's window: asked for, and again as time moves on.
import { Chart } from './charts.js';
import { isUtc } from './format.js';
import { live } from './live.js';
import { painter, palette, schedule } from './paint.js';
import { onWindow } from './timewindow.js';

const AGAIN = 15; // seconds between two questions at least
const LINES = [['50', 'accent'], ['95', 'info'], ['99', 'ink', [3, 3]]];
const place = document.querySelector('[data-latencies]');
let rows = [], seconds = 900, asked = 0, timer = 0;

const drawn = [...place.querySelectorAll('.chart')].map(element => {
  const of = element.dataset.of;
  const series = LINES.map(([part, colour, dash]) => ({ name: `p${part}`, colour, dash, get: row => row[`${of}_p${part}`] }));
  const box = place.querySelector(`details[data-of="${of}"]`);
  const fill = async () => {
    if (!box.open) return;
    const { tabulate } = await import('./numbers.js');
    tabulate(box.querySelector('.scroll'), series, rows, { seconds: true });
  };
  box.addEventListener('toggle', fill);
  return { chart: new Chart(element, series, { seconds: true }), empty: element.querySelector('.none'), fill };
});

async function ask() {
  clearTimeout(timer);
  let next = AGAIN;
  const mine = ++asked;
  try {
    // While the server is away the socket tells when it is back.
    if (live.state.name !== 'reconnecting' && !document.hidden) {
      const answer = await fetch(`${place.dataset.latencies}window=${seconds}`, { headers: { Accept: 'application/json' } });
      if (!answer.ok) throw new Error(String(answer.status));
      const { columns, rows: found, step } = await answer.json();
      if (mine !== asked) return; // another window was chosen meanwhile
      rows = found.map(values => Object.fromEntries(columns.map((name, i) => [name, values[i]])));
      next = Math.max(AGAIN, step);
      for (const { fill, empty } of drawn) {
        fill();
        empty.hidden = rows.length > 1;
      }
    }
  } catch { /* what was known stays; asked again */ }
  if (mine !== asked) return;
  timer = setTimeout(ask, 1000 * next);
  schedule();
}

onWindow(wanted => {
  seconds = wanted;
  ask();
});
/* Painted every second with the rest of the page, these change every 15: twice 2 ms saved. */
painter(() => {
  for (const each of drawn) {
    const { chart } = each, now = [rows, chart.hover, chart.canvas.clientWidth, devicePixelRatio, palette.ink, isUtc()];
    if (now.every((value, i) => value === each.painted?.[i])) continue;
    each.painted = now;
    chart.draw(rows);
  }
});
