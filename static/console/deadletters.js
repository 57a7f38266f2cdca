// The dead letters: choosing rows, the bar of actions, failures per minute, news that wait to be asked for.
import { Chart } from './charts.js';
import { number } from './format.js';
import { onSnapshot, recent } from './live.js';
import { painter, setText } from './paint.js';

const $ = (selector, element = document) => element.querySelector(selector);
const $$ = (selector, element = document) => [...element.querySelectorAll(selector)];
const boxes = () => $$('#dead tbody input[type="checkbox"]');
let last = null, ofAll = false; // ofAll: what is chosen is all that matches, also what is on no page

function show() {
  const all = boxes(), chosen = all.filter(box => box.checked).length, head = $('#all');
  if (!head) return;
  head.checked = chosen > 0 && chosen === all.length;
  head.indeterminate = chosen > 0 && chosen < all.length;
  for (const box of all) box.closest('tr').setAttribute('aria-selected', String(box.checked));
  $('#bar').classList.toggle('on', chosen > 0);
  for (const [id, verb] of [['#retry-chosen', 'Retry'], ['#discard-chosen', 'Discard'], ['#mark-chosen', 'Mark']]) {
    const button = $(id);
    if (!button) continue; // without Redis nothing is discarded
    button.disabled = !chosen;
    const of = verb === 'Mark' ? ' permanent' : '';
    setText($('span', button), chosen ? `${verb} ${number(chosen)}${of}` : `${verb} selected`);
  }
  $('#said').hidden = !chosen;
  const whole = ofAll && chosen > 0, more = $('#pick-matching');
  $('#bar').classList.toggle('of-all', whole);
  if (more) more.hidden = whole;
  setText($('#chosen'), whole ? more.dataset.count : number(chosen));
  setText($('#chosen-of'), whole ? 'matching' : 'on this page');
}

document.addEventListener('click', event => {
  const box = event.target.closest('#dead tbody input[type="checkbox"]');
  if (box) {
    const all = boxes(), here = all.indexOf(box), there = all.indexOf(last);
    if (event.shiftKey && there >= 0) all.slice(Math.min(here, there), Math.max(here, there) + 1).forEach(o => { o.checked = box.checked; });
    last = box;
    ofAll = false;
    show();
  }
  if (event.target.closest('#pick-matching')) { boxes().forEach(b => { b.checked = true; }); ofAll = true; show(); }
  if (event.target.closest('#pick-none')) { ofAll = false; boxes().forEach(b => { b.checked = false; }); show(); }
});
document.addEventListener('change', event => {
  if (event.target.id === 'all') { ofAll = false; boxes().forEach(b => { b.checked = event.target.checked; }); show(); }
});

/* A list that a filter chose has no pill, and is asked for with its causes and bars. */
function again() {
  if ($('#dead')?.dataset.filtered) location.reload(); else $('#dead-new')?.click();
}

/* What an Undo brought back is on the list again, so the list is fetched. */
document.addEventListener('htmx:afterRequest', event => {
  if (event.detail.successful && event.detail.requestConfig.path.includes('/undo/')) again();
});

/* After a retry the row goes and nothing else moves; an emptied page asks for the next one. */
document.addEventListener('htmx:afterSettle', show);
document.addEventListener('htmx:afterRequest', () => {
  show();
  if ($('#dead')?.dataset.empty === 'false' && !boxes().length) again();
});

/* The causes beside the list follow what was done with it, once the index has heard of it. */
document.addEventListener('htmx:afterRequest', event => {
  if (event.detail.successful && !['causes', 'said-of'].includes(event.detail.elt.id)) $('#causes')?.dispatchEvent(new Event('fresh'));
});

onSnapshot(({ totals, queues }) => {
  const list = $('#dead'), pill = $('#dead-new');
  const counts = { '': totals, ...Object.fromEntries(queues.map(q => [q.name, q])) };
  for (const tab of $$('[data-tab]')) setText($('span', tab), number(counts[tab.dataset.tab]?.failed));
  // A filter that is wrong has a page without a list.
  const here = counts[list?.dataset.queue] ?? totals, ever = list?.dataset.queue ? here.dead : totals.failures;
  for (const place of $$('[data-k="here"]')) setText(place, number(here.failed));
  const all = $('[data-k="here-all"]');
  if (all) setText(all, number(totals.failed)); // else the bars stand in that chart's place
  if (!list || list.dataset.filtered) return; // what is new there, only asking again tells
  const more = ever - Number(list.dataset.failures);
  pill.hidden = more <= 0;
  setText($('span', pill), `${number(more)} new`);
  if (more > 0 && list.dataset.empty === 'true') { list.dataset.failures = ever; pill.click(); }
});

const place = $('#failures');
if (place) {
  const chart = new Chart(place, [{ name: 'dead letters', colour: 'ink-3', get: row => row.failed }, { name: 'failures/min', colour: 'bad', bars: true, get: row => row.dead_per_minute }]);
  painter(() => chart.draw(recent(900)));
}
show();
