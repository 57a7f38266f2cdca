// ctrl k: go anywhere and begin anything from one box. What it lists is on the page already. Fetched when it is first opened.
import { number } from './format.js';
import { onSnapshot } from './live.js';
import { setText } from './paint.js';

const MOST_SHOWN = 40; // characters of the text that a line repeats
const palette = document.querySelector('#palette');
const box = palette.querySelector('input'), list = palette.querySelector('[role="listbox"]');
const matching = palette.querySelector('[data-group="matching"]'), none = palette.querySelector('.none');
const options = () => [...list.querySelectorAll('[role="option"]')];
const begins = new Map(); // of the lines that take the text: where their address begins

/* The pages are those of the rail: what somebody may not see is not there either. */
for (const link of document.querySelectorAll('.rail > a[data-go]')) {
  const line = document.createElement('a'), icon = link.querySelector('svg')?.cloneNode(true), text = document.createElement('span'), key = document.createElement('span');
  line.setAttribute('role', 'option');
  line.tabIndex = -1;
  line.href = link.href;
  text.className = 'cut';
  text.textContent = link.querySelector('span').textContent;
  line.dataset.words = text.textContent.toLowerCase();
  key.className = 'dim';
  for (const name of ['g', link.dataset.go]) key.append(Object.assign(document.createElement('kbd'), { textContent: name }));
  line.append(...(icon ? [icon] : []), text, key);
  list.querySelector('[data-group="pages"]').append(line);
}
options().forEach((option, i) => { option.id = `palette-${i}`; });
for (const line of matching.querySelectorAll('[data-match]')) begins.set(line, line.getAttribute('href'));

const LINES = {
  id: text => /^[0-9a-f-]{8,64}$/i.test(text) && `Go to job ${text}`,
  jobs: text => `Jobs that match “${text}”`,
  failed: text => `Dead letters that match “${text}”`,
  alerts: text => `Alerts that match “${text}”`,
};

const visible = () => options().filter(option => !option.hidden && !option.parentElement.hidden);
function choose(option) {
  for (const each of options()) each.setAttribute('aria-selected', String(each === option));
  if (option) { box.setAttribute('aria-activedescendant', option.id); option.scrollIntoView({ block: 'nearest' }); } else box.removeAttribute('aria-activedescendant');
}

function narrow() {
  const text = box.value.trim(), words = text.toLowerCase().split(/\s+/).filter(Boolean);
  matching.hidden = !text;
  for (const [line, begin] of begins) {
    const shown = text && LINES[line.dataset.match](text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
    line.hidden = !shown || (line.dataset.match === 'id' && text.length > 64);
    if (shown) setText(line.querySelector('.cut'), shown);
    line.setAttribute('href', begin.replace(/ $/, '%20') + encodeURIComponent(text));
  }
  for (const group of list.querySelectorAll('[data-group]')) {
    if (group === matching) continue;
    const lines = [...group.querySelectorAll('[role="option"]')];
    for (const line of lines) line.hidden = !words.every(word => line.dataset.words.includes(word));
    group.hidden = lines.every(line => line.hidden);
  }
  const shown = visible();
  none.hidden = shown.length > 0;
  // A page or a button by that name comes before a search for it; an id before all.
  choose(shown.find(line => line.dataset.match === 'id') ?? shown.find(line => !line.dataset.match) ?? shown[0]);
}

/** Opens it, or closes it again; not above another dialog. */
export function toggle() {
  if (palette.open) { palette.close(); return; }
  if (document.querySelector('dialog[open]')) return;
  box.value = '';
  narrow();
  palette.showModal();
  box.focus();
}

box.addEventListener('input', narrow);
box.addEventListener('keydown', event => {
  const shown = visible(), at = shown.findIndex(option => option.getAttribute('aria-selected') === 'true');
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (to !== undefined && (event.key.startsWith('Arrow') || event.ctrlKey)) {
    event.preventDefault();
    choose(shown[(to + shown.length) % shown.length]);
  } else if (event.key === 'Enter' && shown[at]) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) window.open(shown[at].href, '_blank', 'noopener'); else location.assign(shown[at].href);
  }
});
list.addEventListener('pointermove', event => { const option = event.target.closest('[role="option"]'); if (option) choose(option); });
palette.addEventListener('click', event => { if (event.target === palette) palette.close(); });

onSnapshot(({ queues }) => {
  for (const q of queues) setText(palette.querySelector(`[data-pal="${CSS.escape(q.name)}"]`), `${number(q.depth)} waiting`);
});
