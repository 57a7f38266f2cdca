// Parts of a page that are read anew every few seconds: data-fresh (in ms, else 5 s), fetched by htmx at the event `moved`.
import { trigger } from './htmx.js';
import { live, onSnapshot, onState, sayInstead } from './live.js';

const EVERY = 5000; // ms
const opened = Date.now(), asked = new Map(); // id of the part → when; the part itself is replaced each time

function refresh(least = 0) {
  if (document.hidden) return;
  for (const place of document.querySelectorAll('[data-fresh]')) {
    if (Date.now() - (asked.get(place.id) ?? opened) < (least && (Number(place.dataset.fresh) || least))) continue;
    asked.set(place.id, Date.now());
    // What somebody is about to press stays where it is.
    if (!place.contains(document.activeElement) && !place.matches(':has(:active)')) trigger(place, 'moved');
  }
}
onSnapshot(() => refresh(EVERY));

/* --- no socket: fetched all the same, and said so ------------------------------------------------ */
let silent = 0;
function poll() {
  clearTimeout(silent);
  silent = setTimeout(poll, EVERY);
  if (live.paused) sayInstead('paused'); else refresh();
}
onState(({ name }) => {
  const on = name === 'reconnecting' || name === 'connecting';
  if (on && !silent) silent = setTimeout(poll, EVERY);
  if (!on) { clearTimeout(silent); silent = 0; sayInstead(null); }
});
document.addEventListener('htmx:afterRequest', event => {
  // The event's own element is no longer in the page when it was swapped.
  if (silent && event.detail.requestConfig?.elt?.matches('[data-fresh]')) sayInstead(event.detail.successful ? `every ${EVERY / 1000} s` : null);
});
