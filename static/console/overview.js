// The overview: every number of a snapshot into its place, sparks and the two charts.
import { Chart, spark } from './charts.js';
import './composition.js';
import { change, clearsIn, duration, millis, number, pauseLeft, rate, visible } from './format.js';
import { onSnapshot } from './live.js';
import { painter, palette, schedule, setText } from './paint.js';
import { Past } from './past.js';
import { onWindow } from './timewindow.js';

const $ = (selector, element = document) => element.querySelector(selector);
const $$ = (selector, element = document) => [...element.querySelectorAll(selector)];
const QUEUES = $$('[data-q]').map(row => row.dataset.q);
const MOST_BLOCKS = 8; // worker blocks in a row; the words beside them carry the numbers
const field = (name, text) => { for (const place of $$(`[data-k="${name}"]`)) setText(place, text); };
const show = (element, on) => { if (element && element.hidden === on) element.hidden = !on; };
const tone = (element, name) => { if (element && element.dataset.tone !== name) element.dataset.tone = name; };

/* --- verdict ------------------------------------------------------------------- */
const WORDS = { healthy: 'Healthy:', degraded: 'Degraded:', unhealthy: 'Unhealthy:' };
let checksShown = '';
function verdict({ verdict: v, totals, loss, paused_all: paused }) {
  const card = $('#health'), state = loss ? 'unhealthy' : v.status;
  if (card.dataset.s !== state) card.dataset.s = state;
  setText($('strong', card), WORDS[v.status] ?? v.status);
  setText($('.why', card), v.reason);
  setText($('.next', card), v.next);
  field('stalled', number(totals.stalled));
  $('#recover')?.classList.toggle('main', totals.stalled > 0);
  show($('#pause-all-link'), !paused);
  show($('#resume-all'), paused);
  const key = JSON.stringify(v.checks);
  if (key === checksShown) return;
  checksShown = key;
  $('.checks', card).replaceChildren(...v.checks.map(check => {
    const made = $(check.ok ? '#check-ok' : '#check-bad').content.firstElementChild.cloneNode(true);
    made.append(visible(check.text));
    return made;
  }));
}

/* --- key numbers ------------------------------------------------------------------ */
function numbers({ totals, workers }) {
  const oldest = totals.oldest_wait, waits = oldest && oldest.seconds > 0;
  field('throughput', rate(totals.out_rate));
  field('backlog', number(totals.depth));
  field('backlog-change', change(totals.net_rate));
  for (const place of $$('[data-k="backlog-change"]')) tone(place, totals.net_rate > 0 ? 'bad' : 'ok');
  field('oldest-queue', waits ? `Oldest wait in ${oldest.queue}` : 'Oldest wait');
  field('oldest', waits ? duration(oldest.seconds).split(' ')[0] : '0');
  field('oldest-unit', waits ? duration(oldest.seconds).split(' ')[1] : 's');
  field('failures-rate', number(totals.dead_per_minute));
  field('busy', number(workers.busy));
  field('workers', `of ${number(workers.total)}`);
  field('failed', number(totals.failed));
  for (const name of ['enqueued', 'dequeued', 'processed', 'failures', 'trash']) field(name, number(totals[name]));
}

/* --- queues ---------------------------------------------------------------------------- */
function blocks(place, busy, total) {
  const shown = Math.min(total, MOST_BLOCKS), on = total ? Math.round(busy / total * shown) : 0;
  while (place.childElementCount > shown) place.lastElementChild.remove();
  while (place.childElementCount < shown) place.append(document.createElement('i'));
  [...place.children].forEach((block, i) => block.classList.toggle('b', i < on));
}
/* What is the matter with a queue: nothing claims from it, others keep its workers, a limit holds jobs back. */
function marks(row, q, at) {
  const texts = {
    paused: q.paused && pauseLeft(q.paused_until, at),
    starved: q.starved_for > 0 && `starved ${duration(q.starved_for)}`,
    parked: q.parked > 0 && `${number(q.parked)} held back`,
  };
  for (const [name, text] of Object.entries(texts)) {
    const mark = $(`[data-f="${name}"]`, row);
    show(mark, Boolean(text));
    if (text) setText(mark.lastElementChild, text);
  }
  show($('[data-f="pause"]', row), !q.paused_itself);
  show($('[data-f="resume"]', row), q.paused_itself);
}
function queue(q, at, took) {
  const row = $(`[data-q="${CSS.escape(q.name)}"]`);
  if (!row) return;
  const texts = {
    depth: number(q.depth), in: rate(q.in_rate), out: rate(q.out_rate), wait: duration(q.oldest_wait ?? 0), started: number(q.started),
    scheduled: number(q.scheduled), eta: clearsIn(q.clears_in), workers: `${number(q.busy)} of ${number(q.workers)}`, failed: number(q.failed),
    stalled: q.stalled ? `${number(q.stalled)} stalled` : '', run: Number.isFinite(took?.run_p95) ? `p95 ${millis(took.run_p95)}` : '',
  };
  for (const [name, text] of Object.entries(texts)) setText($(`[data-f="${name}"]`, row), text);
  const part = (q.oldest_wait ?? 0) / q.wait_target, sla = $('.sla', row), state = part > 1 ? 'bad' : part > 0.75 ? 'warn' : 'ok';
  if (sla.dataset.s !== state) sla.dataset.s = state;
  $('.bar', sla).setAttribute('width', `${Math.min(100, Math.max(q.depth ? 3 : 0, part * 100))}%`);
  tone($('[data-f="eta"]', row), q.clears_in === 'growing' ? 'bad' : '');
  tone($('[data-f="failed"]', row), q.failed ? 'bad' : 'dim');
  blocks($('.wk', row), q.busy, q.workers);
  marks(row, q, at);
  setText($(`[data-lg="${CSS.escape(q.name)}"]`), number(q.depth));
}

onSnapshot(snapshot => {
  verdict(snapshot);
  numbers(snapshot);
  for (const q of snapshot.queues) queue(q, snapshot.at, snapshot.took.find(each => each.queue === q.name));
  setText($('[data-lg="started"]'), number(snapshot.totals.started));
  const first = $('#first');
  if (first) first.hidden = snapshot.totals.enqueued > 0;
  news(snapshot.totals);
});

/* --- new dead letters: rows never jump; the reader fetches them -------------------------- */
function news(totals) {
  const list = $('#latest'), pill = $('#latest-new');
  if (!list) return;
  const more = totals.failures - Number(list.dataset.failures);
  pill.hidden = more <= 0;
  setText($('span', pill), `${number(more)} new`);
  if (more > 0 && list.dataset.empty === 'true') { list.dataset.failures = totals.failures; pill.click(); }
}

/* After the last Retry on the list: ask for those that come next. */
document.addEventListener('htmx:afterRequest', () => {
  const list = $('#latest');
  if (list.dataset.empty === 'false' && !$('tbody tr', list)) $('#latest-new').click();
});

/* --- charts ---------------------------------------------------------------------------------- */
const WORDS_OF = s => s < 3600 ? `${s / 60} min` : s < 172_800 ? `${s / 3600} h` : `${s / 86_400} days`;
const past = new Past($('[data-history]').dataset.history, text => setText($('#window-said'), text));
onWindow(seconds => {
  field('window', `Last ${WORDS_OF(seconds)}`);
  past.choose(seconds);
  schedule();
});

const SPARKS = {
  throughput: [r => r.out_rate, 'ink-3'], backlog: [r => QUEUES.reduce((sum, q) => sum + r[q], 0), 'ink-3'], oldest: [r => r.oldest_wait, 'ink-3'],
  'failures-rate': [r => r.dead_per_minute, 'bad'], busy: [r => r.busy, 'ink-3'], failed: [r => r.failed, 'bad'],
};
const DEPTH = [
  ...QUEUES.map(name => ({ name, colour: `c-${name}`, get: row => row[name] })),
  { name: 'processing', colour: 'accent', get: row => row.started },
];
const FLOW = [
  { name: 'in/s', colour: 'ink-3', get: row => row.in_rate },
  { name: 'done/s', colour: 'accent', get: row => row.out_rate },
  { name: 'failures/min', colour: 'bad', bars: true, get: row => row.dead_per_minute },
];
const depth = new Chart($('#depth'), DEPTH, { stack: true }), flow = new Chart($('#flow'), FLOW, { gap: true });
for (const box of $$('details[data-of]')) {
  const fill = async () => {
    if (!box.open) return;
    const { tabulate } = await import('./numbers.js');
    tabulate($('.scroll', box), box.dataset.of === 'depth' ? DEPTH : FLOW, past.rows());
  };
  box.addEventListener('toggle', fill);
  setInterval(() => { if (!box.contains(document.activeElement) && !box.matches(':hover')) fill(); }, 5000);
}
/* How much more dead letters there are than when the window began, and failures a minute than in its mean. */
function changes(rows) {
  const { failed, dead_per_minute: rate } = rows.at(-1), more = failed - rows[0].failed;
  const usual = rows.reduce((sum, row) => sum + row.dead_per_minute, 0) / rows.length, part = usual ? Math.round((rate / usual - 1) * 100) : 0;
  field('failed-change', more ? `${more > 0 ? '+' : '−'}${number(Math.abs(more))}` : '');
  field('failures-change', usual >= 1 && part ? `${part > 0 ? '+' : '−'}${number(Math.abs(part))} %` : '');
  tone($('[data-k="failed-change"]'), more > 0 ? 'bad' : 'ok');
  tone($('[data-k="failures-change"]'), part > 0 ? 'bad' : 'ok');
}
painter(() => {
  const rows = past.rows();
  depth.draw(rows, past.marks);
  flow.draw(rows, past.marks);
  if (rows.length < 2) return;
  changes(rows);
  for (const [name, [get, colour]] of Object.entries(SPARKS)) {
    const values = rows.map(get);
    // Red is for what somebody must act on: a line along zero is grey.
    spark($(`[data-spark="${name}"]`), values, palette[values.some(v => v > 0) ? colour : 'ink-3']);
  }
  for (const name of QUEUES) spark($(`[data-q="${name}"] canvas`), rows.map(row => row[name]), palette[`c-${name}`]);
});
