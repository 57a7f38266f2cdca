// The door, live: every number of a frame into its place. Without a socket its part of the page is fetched every few seconds.
import { spark } from './charts.js';
import { millis, number, percent, rate, visible } from './format.js';
import { htmx, trigger } from './htmx.js';
import { live, onSnapshot, onState, sayInstead, watchDoor } from './live.js';
import { painter, palette, schedule, setText } from './paint.js';
import { refreshTimes } from './shell.js';

const POLL = 3000; // ms
const $ = (selector, element = document) => element.querySelector(selector);
const $$ = (selector, element = document) => [...element.querySelectorAll(selector)];
const field = (name, text) => { for (const place of $$(`[data-k="${name}"]`)) setText(place, text); };
const tone = (element, name) => { if (element && (element.dataset.tone ?? '') !== name) element.dataset.tone = name; };
const split = text => text.split(' ');

let newest = null; // the last frame with counts

/* --- what is said of it ------------------------------------------------------- */
let checksShown = '';
function verdict({ status, reason, next, checks }) {
  const card = $('#door > .verdict');
  if (card.dataset.s !== status) card.dataset.s = status;
  setText($('strong', card), reason);
  setText($('.why', card), next);
  const key = JSON.stringify(checks);
  if (key === checksShown) return;
  checksShown = key;
  $('.checks', card).replaceChildren(...checks.map(check => {
    const made = $(check.ok ? '#check-ok' : '#check-bad').content.firstElementChild.cloneNode(true);
    made.append(visible(check.text));
    return made;
  }));
}

function numbers(total) {
  const [p99, unit] = split(millis(total.p99 ?? NaN));
  field('rate', rate(total.rate));
  field('refused', split(percent(total.refused ?? NaN))[0]);
  field('duplicates', split(percent(total.duplicates ?? NaN))[0]);
  field('p99', p99);
  field('p99-unit', unit ?? 'ms');
  field('refusals', number(total.refusals));
  field('see-refused', `See refused (${number(total.refusals)})`);
  $('#door > .verdict a[href="#reasons"]').hidden = !total.refusals;
}

/* --- sources: rows never jump, new ones wait behind a button ---------------------- */
function source(row, found) {
  const texts = {
    tenants: found.tenants || '–', rate: rate(found.rate), accepted: number(found.accepted), duplicates: number(found.duplicates),
    held_back: number(found.held_back), reason: found.reason ?? '–', p99: millis(found.p99 ?? NaN), percent: percent(found.refused_percent),
  };
  for (const [name, text] of Object.entries(texts)) setText($(`[data-f="${name}"]`, row), text);
  $('.who', row).toggleAttribute('data-none', !found.tenants);
  $('.why', row).toggleAttribute('data-none', !found.reason);
  const rejected = $('[data-f="rejected"]', row), text = `${number(found.rejected)} `, bad = found.is_bad;
  if (rejected.firstChild.data !== text) rejected.firstChild.data = text;
  tone(rejected, bad ? 'bad' : '');
  $('[data-f="held_back"]', row).classList.toggle('dim', !found.held_back);
  $('.meter', row).classList.toggle('bad', bad);
  $('.meter', row).classList.toggle('mute', !bad);
  $('.meter .bar', row).setAttribute('width', `${Math.min(100, Math.round(found.refused_percent))}%`);
  const seen = $('.at time', row);
  if (seen) seen.dataset.at = found.seen;
}

function sources(found) {
  const rows = new Map($$('[data-source]').map(row => [row.dataset.source, row]));
  let more = 0;
  for (const each of found) {
    const row = rows.get(each.name);
    if (row) source(row, each); else more += 1;
  }
  field('sources', number(found.length));
  const pill = $('#sources-new');
  setText($('span', pill), `${number(more)} new`);
  // An empty list has nothing that could jump.
  if (more && !rows.size) fetchDoor();
  pill.hidden = !more;
}

function reasons(found) {
  const rows = new Map($$('[data-reason]').map(row => [row.dataset.reason, row]));
  if (found.some(([name]) => !rows.has(name))) return fetchReasons();
  for (const [name, count, from] of found) {
    setText($('[data-f="count"]', rows.get(name)), number(count));
    setText($('[data-f="from"]', rows.get(name)), from);
  }
}

function keys(found) {
  for (const row of $$('[data-key]')) {
    const [accepted, refused, perSecond, used] = found[row.dataset.key] ?? [];
    if (accepted === undefined) continue;
    setText($('[data-f="accepted"]', row), number(accepted));
    setText($('[data-f="refused"]', row), number(refused));
    setText($('[data-f="rate"]', row), rate(perSecond));
    const time = $('[data-f="used"] time', row);
    if (time && used) time.dataset.at = used;
  }
}

/* --- fetching a part ----------------------------------------------------------------- */
let fetching = false;
function fetchPart(select) {
  if (fetching) return;
  fetching = true;
  htmx().then(it => it.ajax('GET', location.pathname, { source: '#door', target: select, swap: 'outerHTML', select })).catch(() => {}).finally(() => { fetching = false; });
}
const fetchDoor = () => fetchPart('#door');
const fetchReasons = () => fetchPart('#reasons');
document.addEventListener('htmx:afterSwap', () => { checksShown = ''; if (newest) paintFrame(newest); });

/* --- frames ------------------------------------------------------------------------------ */
function paintFrame(frame) {
  verdict(frame.verdict);
  if (!frame.total) return;
  newest = frame;
  numbers(frame.total);
  sources(frame.sources);
  reasons(frame.reasons);
  keys(frame.keys);
  refreshTimes();
  schedule();
}
watchDoor(paintFrame);

onSnapshot(({ spool }) => {
  field('spool', number(spool.count));
  field('spool-unit', spool.more ? 'and more' : 'events');
});

painter(() => {
  if (newest) {
    for (const name of ['rates', 'refused_percents', 'duplicate_percents', 'p99s']) {
      const values = newest.total[name];
      spark($(`[data-spark="${name}"]`), values, palette[name === 'refused_percents' && values.some(v => v > 0) ? 'bad' : 'ink-3']);
    }
    const rows = new Map($$('[data-source]').map(row => [row.dataset.source, row]));
    for (const each of newest.sources) {
      const row = rows.get(each.name);
      if (row) spark($('canvas', row), each.rates, palette[each.is_bad ? 'bad' : 'ink-3']);
    }
  }
  spark($('[data-spark="spool"]'), live.rows.map(row => row.spool ?? 0), palette['ink-3']);
});

/* --- no socket: fetched every few seconds, and said so --------------------------------------- */
let silent = 0;
function poll() {
  clearTimeout(silent);
  silent = setTimeout(poll, POLL);
  if (live.paused) sayInstead('paused');
  else if (!document.hidden) trigger('#door', 'poll');
}
onState(({ name }) => {
  const on = ['polling', 'reconnecting', 'connecting'].includes(name);
  if (on && !silent) silent = setTimeout(poll, POLL);
  if (!on) { clearTimeout(silent); silent = 0; sayInstead(null); }
});
document.addEventListener('htmx:afterRequest', event => {
  // The event's own element is no longer in the page when it was swapped.
  if (event.detail.requestConfig?.elt?.id === 'door' && silent) sayInstead(event.detail.successful ? `every ${POLL / 1000} s` : null);
});
