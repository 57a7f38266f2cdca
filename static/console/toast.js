// One line at the corner that says what really happened. The region is in the page from the start, so that
// screen readers announce what is written into it.
import { visible } from './format.js';

const STAYS = 8000; // ms; errors stay until the next one or a click
const UNDO_STAYS = 20000; // ms: time to see what one has done
let timer = 0;

/** Shows `text`, beside it `undo`, a form, and a link to `log`, if any; level is success, info, warning or error. */
export function toast(text, level = 'info', undo = null, log = '') {
  const region = document.getElementById('toast'), link = document.createElement('a');
  link.href = log;
  link.textContent = 'In the log';
  const close = document.createElement('button');
  close.type = 'button';
  close.textContent = 'Close';
  close.addEventListener('click', () => region.replaceChildren());
  region.dataset.level = level;
  region.replaceChildren(visible(text), ...(undo ? [undo] : []), ...(log ? [link] : []), close);
  clearTimeout(timer);
  if (level !== 'error') timer = setTimeout(() => region.replaceChildren(), undo ? UNDO_STAYS : STAYS);
}

/** A form that brings back what this operation put into the trash; null without one, or where the reader may not. */
export function undoForm(operation) {
  const form = document.getElementById('undo')?.content.firstElementChild.cloneNode(true);
  if (!form || !operation) return null;
  for (const name of ['action', 'hx-post']) form.setAttribute(name, form.getAttribute(name).replace('/operation/', `/${operation}/`));
  return form;
}

/** The server's messages of this page load: there without scripts too; with them they go away again. */
export function adopt() {
  const region = document.getElementById('toast');
  const said = region.firstElementChild;
  if (said) toast(said.textContent.trim(), said.dataset.level, region.querySelector('form'), region.querySelector('a')?.href);
}
