// Parts of a page that are read anew every few seconds: data-fresh, fetched by htmx at the event `moved`.
import { onSnapshot } from './live.js';

const EVERY = 5000; // ms
let asked = Date.now();

onSnapshot(() => {
  if (document.hidden || Date.now() - asked < EVERY) return;
  asked = Date.now();
  for (const place of document.querySelectorAll('[data-fresh]')) {
    // What somebody is about to press stays where it is.
    if (!place.contains(document.activeElement) && !place.matches(':has(:active)')) window.htmx.trigger(place, 'moved');
  }
});
