// Lists of jobs, live: counts on the tabs, what became of the rows (none moves), choosing rows, the bar of actions;
// on a queue's page its numbers as well.
import { change, clearsIn, duration, number, pauseLeft, rate } from './format.js';
import { trigger } from './htmx.js';
import { onSnapshot } from './live.js';
import { setText } from './paint.js';

const $ = (selector, element = document) => element.querySelector(selector);
const $$ = (selector, element = document) => [...element.querySelectorAll(selector)];
const boxes = () => $$('#jobs tbody input[type="checkbox"]');
const SHORTEST = 3000; // ms between two questions about the rows, while something moves
const DESTROYS = ['cancel', 'discard'];
let last = null;

/* --- choosing, and what can be done with what is chosen ------------------------------- */
const verbsOf = box => ($('[data-verbs]', box.closest('tr'))?.dataset.verbs ?? '').split(' ');
const able = verb => boxes().filter(box => box.checked && verbsOf(box).includes(verb)).length;

function show() {
  const all = boxes(), chosen = all.filter(box => box.checked).length, head = $('#all');
  if (!head) return;
  head.checked = chosen > 0 && chosen === all.length;
  head.indeterminate = chosen > 0 && chosen < all.length;
  for (const box of all) box.closest('tr').setAttribute('aria-selected', String(box.checked));
  $('#bar').classList.toggle('on', chosen > 0);
  for (const button of $$('#bar [data-verb]')) {
    const count = able(button.dataset.verb), { label, verb } = button.dataset;
    button.disabled = !count;
    setText($('span', button), count ? `${label} ${number(count)}` : `${label} selected`);
    // There is no way back from canceling; so many discarded ones need a reason.
    const asks = verb === 'cancel' || (verb === 'discard' && count > Number($('#why').dataset.from));
    button.toggleAttribute('data-asks', asks);
  }
  $('#said').hidden = !chosen;
  setText($('#chosen'), number(chosen));
}

/* Only those go along that the button can do something with: its number says how many. */
document.addEventListener('htmx:configRequest', event => {
  const verb = event.detail.elt.dataset.verb ?? event.detail.elt.dataset.sure;
  if (!verb) return;
  const ids = boxes().filter(box => box.checked && verbsOf(box).includes(verb)).map(box => box.value);
  event.detail.formData?.delete('ids');
  for (const id of ids) event.detail.formData.append('ids', id);
});

/* What looks further by itself, page after page, until something is found: what is under way when it is stopped is not shown. */
// Told by a class around it: htmx gives #looking itself its attributes again 20 ms after each swap.
document.addEventListener('click', event => {
  const looking = event.target.closest('#stop-looking, #looking a') && $('#looking');
  if (!looking) return;
  const stop = event.target.closest('#stop-looking') !== null;
  looking.parentElement.classList.toggle('stopped', stop);
  if (stop) $('a', looking).focus();
}, true);
document.addEventListener('htmx:beforeSwap', event => {
  if (event.detail.requestConfig.elt.matches('.stopped [data-on]')) event.detail.shouldSwap = false;
});

document.addEventListener('click', event => {
  const asking = event.target.closest('[data-verb][data-asks]');
  if (asking) {
    event.preventDefault();
    event.stopPropagation(); // before htmx sends it
    prepare(asking.dataset.verb);
    $('#confirm').showModal();
  }
  const box = event.target.closest('#jobs tbody input[type="checkbox"]');
  if (box) {
    const all = boxes(), here = all.indexOf(box), there = all.indexOf(last);
    if (event.shiftKey && there >= 0) all.slice(Math.min(here, there), Math.max(here, there) + 1).forEach(o => { o.checked = box.checked; });
    last = box;
    show();
  }
  if (event.target.closest('#pick-none')) { boxes().forEach(b => { b.checked = false; }); show(); }
}, true);
document.addEventListener('change', event => {
  if (event.target.id === 'all') { boxes().forEach(b => { b.checked = event.target.checked; }); show(); }
});

function prepare(verb) {
  const count = able(verb), why = $('#why'), needed = count > Number(why.dataset.from), word = verb === 'cancel' ? 'Cancel' : 'Discard';
  setText($('#confirm-h'), count === 1 ? `${word} 1 job?` : `${word} ${number(count)} jobs?`);
  setText($('#confirm-says'), $('#confirm-says').dataset[verb]);
  setText($('#why-needed'), needed ? $('#why-needed').dataset.needed : $('#why-needed').dataset.optional);
  why.required = needed;
  for (const each of DESTROYS) {
    const button = $(`[data-sure="${each}"]`);
    if (!button) continue; // somebody may discard, and not cancel
    button.hidden = each !== verb;
    setText(button, `${word} ${number(count)}`);
  }
}
/* Enter in the reason presses the button that is shown, not the first one of the bar. */
document.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.target.id !== 'why') return;
  event.preventDefault();
  $('[data-sure]:not([hidden])').click();
});
/* A required field of the closed dialog must not hold up the other buttons. */
document.addEventListener('close', event => { if (event.target.id === 'confirm') $('#why').required = false; }, true);

/* --- rows stay where they are, and tell what became of them ------------------------------ */
let asked = 0, seen = '', again = 0;
const ask = () => {
  asked = Date.now();
  const place = $('#job-news');
  if (place) trigger(place, 'moved');
};
document.addEventListener('htmx:afterRequest', event => {
  const { verb, sure } = event.detail.elt.dataset ?? {};
  const restored = /\/restore\/$|\/undo\//.test(event.detail.requestConfig.path);
  if (!(verb || sure || restored) || !event.detail.successful) return;
  for (const box of boxes()) box.checked = false;
  show();
  ask();
});
document.addEventListener('htmx:afterSettle', show);
document.addEventListener('htmx:oobAfterSwap', () => { clearTimeout(again); again = setTimeout(show, 0); });

onSnapshot(({ at, totals, queues, known }) => {
  const own = $('#jobs')?.dataset.queue, mine = own ? queues.filter(q => q.name === own) : queues;
  if (known === false || !$('#jobs')) return;
  for (const tab of $$('[data-count]')) {
    const filter = new URL(tab.href).searchParams.get('filter') ?? '', only = /(?:^| )queue:(\S+)/.exec(filter)?.[1].split(',');
    const counted = mine.filter(q => !only || only.includes(q.name));
    setText($('span', tab), number(counted.reduce((sum, q) => sum + q[tab.dataset.count], 0)));
  }
  if (own && mine.length) queue(mine[0], at);
  const now = JSON.stringify(mine.map(q => [q.enqueued, q.claimed, q.completed, q.dead, q.retried, q.canceled, q.trashed, q.restored, q.requeued, q.moved_in, q.moved_out, q.depth]));
  if (!seen) seen = now;
  if (now === seen) return;
  $('#fresh')?.classList.add('new');
  if (document.hidden || Date.now() - asked < SHORTEST) return;
  seen = now;
  ask();
});

/* --- a queue's own numbers ---------------------------------------------------------------------- */
const tone = (element, name) => { if (element && element.dataset.tone !== name) element.dataset.tone = name; };
const hide = (element, on) => { if (element) element.hidden = on; };
function queue(q, at) {
  const card = $(`[data-q="${CSS.escape(q.name)}"]`), at_ = name => $(`[data-f="${name}"]`, card);
  if (!card) return;
  const texts = {
    depth: number(q.depth), net: change(q.net_rate), wait: duration(q.oldest_wait ?? 0), in: rate(q.in_rate), out: rate(q.out_rate),
    eta: clearsIn(q.clears_in), started: number(q.started), stalled: q.stalled ? `${number(q.stalled)} stalled` : '', failed: number(q.failed),
    workers: `${number(q.workers)} ${q.workers === 1 ? 'worker listens' : 'workers listen'}, ${number(q.busy)} busy`,
  };
  for (const [name, text] of Object.entries(texts)) setText(at_(name), text);
  tone(at_('net'), q.net_rate > 0 ? 'bad' : 'ok');
  tone(at_('wait'), (q.oldest_wait ?? 0) > q.wait_target ? 'bad' : '');
  tone(at_('eta'), q.clears_in === 'growing' ? 'bad' : '');
  hide(at_('unserved'), q.workers > 0);
  const marks = { paused: q.paused && pauseLeft(q.paused_until, at), starved: q.starved_for > 0 && `starved ${duration(q.starved_for)}`, parked: q.parked > 0 && `${number(q.parked)} held back` };
  for (const [name, text] of Object.entries(marks)) {
    hide(at_(name), !text);
    if (text) setText(at_(name).lastElementChild, text);
  }
  hide(at_('pause'), q.paused_itself);
  hide(at_('resume'), !q.paused_itself);
}
show();
