// The table behind a chart: the same numbers as text, for those who cannot see a canvas, and for copying.
import { full, millis, number } from './format.js';

const ROWS = 20;
const longest = values => millis(Math.max(...values.map(v => v ?? -Infinity)));
const figure = n => n < 10 && n % 1 ? n.toFixed(1) : number(n);

/** Fills `place` with at most ROWS of the rows, the newest first; series: [{name, get}]. Rows are means, as on the chart; of `seconds` the longest. */
export function tabulate(place, series, rows, { seconds = false } = {}) {
  const table = document.createElement('table'), head = table.createTHead().insertRow(), body = table.createTBody();
  table.className = 't dense';
  for (const name of ['Until', ...series.map(s => s.name)]) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.className = name === 'Until' ? '' : 'num';
    cell.textContent = name;
    head.append(cell);
  }
  const size = Math.max(1, Math.ceil(rows.length / ROWS));
  for (let end = rows.length; end > 0; end -= size) {
    const slice = rows.slice(Math.max(0, end - size), end), line = body.insertRow(), when = document.createElement('th');
    when.scope = 'row';
    when.textContent = full(slice.at(-1).at);
    line.append(when);
    for (const { get } of series) {
      const cell = line.insertCell();
      cell.className = 'num';
      const values = slice.map(get);
      cell.textContent = seconds ? longest(values) : figure(values.reduce((sum, v) => sum + v, 0) / values.length);
    }
  }
  place.replaceChildren(table);
}
