// The door: its part of the page is fetched anew every few seconds, unless somebody paused or looks elsewhere.
import { live } from './live.js';

document.addEventListener('htmx:beforeRequest', event => {
  if (event.detail.elt.id === 'door' && (live.paused || document.hidden)) event.preventDefault();
});
