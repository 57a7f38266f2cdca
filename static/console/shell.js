// The frame of every page: live dot, title, badge, system box, times, theme, keyboard, the More sheet.
import { ago, clock, duration, full, isUtc, memory, number, setUtc, short, zone } from './format.js';
import { live, onSnapshot, onState, pause } from './live.js';
import { readPalette, schedule, setText } from './paint.js';
import { signIn } from './renew.js';

const $ = selector => document.querySelector(selector);
const $$ = selector => [...document.querySelectorAll(selector)];
const root = document.documentElement;

/* --- live dot ------------------------------------------------------------------ */
const DOT = { live: 'on', paused: 'stale', stale: 'stale', polling: 'stale', connecting: '', reconnecting: 'off', 'signed-out': 'off', 'not-allowed': 'off' };
const since = age => age === null || age < 1 ? '' : age < 90 ? `${age} s` : `${Math.round(age / 60)} min`;
function words({ name, wait, age, every }) {
  if (name === 'stale') return `stale ${since(age)}`;
  if (live.instead && ['polling', 'reconnecting', 'connecting'].includes(name)) return live.instead;
  if (name === 'polling') return `every ${every} s`;
  if (name === 'reconnecting') return (age > 2 ? `${since(age)} old, ` : '') + (wait ? `reconnecting in ${wait} s` : 'reconnecting…');
  if (name === 'signed-out') return 'signed out';
  if (name === 'not-allowed') return 'no live numbers';
  return name === 'connecting' ? 'connecting…' : name;
}
let before = '';
onState(state => {
  const dot = $('.live');
  if (!dot) return;
  const shown = live.instead ? 'stale' : DOT[state.name];
  if (dot.dataset.s !== shown) dot.dataset.s = shown;
  setText(dot.lastElementChild, words(state));
  if (state.name === 'signed-out' && before !== state.name) signIn();
  before = state.name;
  dot.title = state.age > 2 ? `The numbers are ${since(state.age)} old` : '';
  // Announced once per change of state, not at every second of a countdown.
  setText($('#live-said'), { live: 'Live', polling: `No live connection; the numbers come ${words(state)}`, reconnecting: live.instead ? `No live connection; the numbers come ${live.instead}` : 'Connection lost, reconnecting', stale: 'The numbers are stale', 'signed-out': 'You are signed out; reload to sign in', 'not-allowed': 'You may not see the live numbers', paused: 'Paused' }[state.name] ?? '');
});

/* --- what every page shows of a snapshot ---------------------------------------- */
let offset = 0; // server clock − browser clock, seconds
const name = document.title.replace(/^\([^)]*\) /, '');
onSnapshot(({ at, totals, redis, maintenance, loss }) => {
  offset = at - Date.now() / 1000;
  const title = `(${short(totals.depth)}) ${name}`;
  if (document.title !== title) document.title = title;
  for (const badge of $$('[data-badge="failed"]')) {
    setText(badge, short(totals.failed));
    badge.hidden = !totals.failed;
  }
  const facts = { memory: memory(redis), fsync: redis.status === 'disabled' ? '–' : redis.fsync ?? '–', leader: maintenance.leader ?? 'none' };
  for (const [fact, text] of Object.entries(facts)) for (const place of $$(`[data-sys="${fact}"]`)) setText(place, text);
  for (const card of $$('[data-loss="card"]')) card.hidden = !loss;
  for (const place of $$('[data-loss="sentence"]')) setText(place, loss?.sentence ?? '');
  for (const place of $$('[data-loss="next"]')) setText(place, loss?.next ?? '');
  for (const field of $$('[data-loss="id"]')) field.value = loss?.id ?? '';
  for (const place of $$('[data-sys="leader"]')) place.classList.toggle('bad', !maintenance.leader);
});
const serverNow = () => Date.now() / 1000 + offset;

/* --- times: relative words, the instant on hover ---------------------------------- */
export function refreshTimes() {
  const now = serverNow();
  for (const time of $$('time[data-at]')) {
    const at = Number(time.dataset.at), style = time.dataset.style;
    setText(time, style === 'clock' ? clock(at, true) : style === 'full' ? full(at) : style === 'elapsed' ? duration(now - at) : ago(at, now));
    const instant = full(at);
    if (time.title !== instant) time.title = instant;
  }
  for (const place of $$('[data-sys="time"]')) setText(place, `${clock(now)} ${zone()}`);
  for (const place of $$('[data-zone]')) setText(place, zone());
}
setInterval(() => { if (!document.hidden) refreshTimes(); }, 5000);
document.addEventListener('htmx:load', refreshTimes);
for (const button of $$('[data-act="zone"]')) {
  button.addEventListener('click', () => { setUtc(!isUtc()); refreshTimes(); schedule(); });
}

/* --- theme --------------------------------------------------------------------------- */
function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}
function switchTheme() {
  root.dataset.theme = isDark() ? 'light' : 'dark';
  try { localStorage.setItem('theme', root.dataset.theme); } catch { /* holds for this page only */ }
  readPalette();
}
for (const button of $$('[data-act="theme"]')) button.addEventListener('click', switchTheme);

/* --- ctrl k: the palette, from anywhere, also while typing ------------------------------- */
const fetchPalette = () => import('./palette.js');
const palette = () => fetchPalette().then(({ toggle }) => toggle(), () => toast('No answer from the server. Try again.', 'error'));
document.addEventListener('keydown', event => {
  if (event.key === 'Control' || event.key === 'Meta') fetchPalette().catch(() => {}); // there before the k is
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== 'k') return;
  event.preventDefault();
  palette();
});
for (const button of $$('[data-act="palette"]')) button.addEventListener('click', () => setTimeout(palette)); // once the sheet that it stands in is closed

/* --- keyboard: silent while typing or with a meta key ---------------------------------- */
const keys = {
  '?': () => $('#help').showModal(),
  t: switchTheme,
  r: () => pause(!live.paused),
  '/': () => { const box = [$('main [role="search"] input:not([type="hidden"])'), $('#find')].find(each => each?.checkVisibility()); if (box) box.focus(); else palette(); },
};
let going = 0;
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input:not([type="checkbox"]), textarea, select')) return;
  if ($('dialog[open]')) return;
  if (Date.now() - going < 1500) {
    going = 0;
    const link = $(`.rail [data-go="${CSS.escape(event.key)}"]`);
    if (link) { event.preventDefault(); link.click(); }
    return;
  }
  if (event.key === 'g') { going = Date.now(); return; }
  const act = Object.hasOwn(keys, event.key) && keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

/* --- a job's id pasted where a list is filtered leads to the job -------------------------------- */
const ID = /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
document.addEventListener('paste', event => {
  const box = event.target.closest?.('main [role="search"] input'), text = event.clipboardData?.getData('text').trim() ?? '';
  if (!box || box.value || !ID.test(text)) return;
  event.preventDefault();
  const form = $('.find-job');
  form.elements.id.value = text;
  form.submit();
});

/* --- the find box: "/" reaches it, esc leaves it ------------------------------------------ */
document.addEventListener('keydown', event => { if (event.key === 'Escape' && event.target.matches('[role="search"] input')) event.target.blur(); });
refreshTimes();
