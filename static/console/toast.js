// One line at the corner that says what really happened. The region is in the page from the start, so that
// screen readers announce what is written into it.

const STAYS = 8000; // ms; errors stay until the next one or a click
let timer = 0;

/** Shows `text`; level is success, info, warning or error. */
export function toast(text, level = 'info') {
  const region = document.getElementById('toast');
  const close = document.createElement('button');
  close.type = 'button';
  close.textContent = 'Close';
  close.addEventListener('click', () => region.replaceChildren());
  region.dataset.level = level;
  region.replaceChildren(text, close);
  clearTimeout(timer);
  if (level !== 'error') timer = setTimeout(() => region.replaceChildren(), STAYS);
}

/** The server's messages of this page load: there without scripts too; with them they go away again. */
export function adopt() {
  const region = document.getElementById('toast');
  if (!region.childElementCount) return;
  const said = region.firstElementChild;
  toast(said.textContent.trim(), said.dataset.level);
}
