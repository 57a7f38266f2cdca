// One job, followed: its progress and log as they come; htmx fetches the rest anew when its state changes.
import { isPercent, progressWords } from './format.js';
import { trigger } from './htmx.js';
import { follow } from './live.js';
import { setText } from './paint.js';

const $ = selector => document.querySelector(selector);

// What the reader has opened stays open, and what was closed stays closed.
let opened = null;
document.addEventListener('htmx:beforeSwap', () => {
  opened = new Map([...document.querySelectorAll('details.att')].map(details => [details.id, details.open]));
});
document.addEventListener('htmx:afterSwap', () => {
  for (const details of document.querySelectorAll('details.att')) {
    if (opened?.has(details.id)) details.open = opened.get(details.id);
  }
});

function paintProgress({ progress }, log) {
  const card = $('#job-progress');
  if (!card) return;
  const bar = card.querySelector('progress'), list = card.querySelector('ol');
  card.hidden = progress === null && !log.length;
  bar.hidden = !isPercent(progress);
  if (!bar.hidden) bar.value = progress;
  setText(card.querySelector('.said'), progressWords(progress));
  list.hidden = !log.length;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 8;
  log.forEach((line, i) => {
    const item = list.children[i] ?? list.appendChild(document.createElement('li'));
    setText(item, line);
  });
  while (list.children.length > log.length) list.lastElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

const page = $('#job');
if (page) {
  follow(page.dataset.job, ({ job, log }) => {
    if (!job) return;
    paintProgress(job, log);
    const seen = `${job.state}${job.stopping ? ' stopping' : ''} ${job.attempts ?? 0}`;
    if (seen !== $('#job').dataset.seen) trigger('#job', 'moved');
  });
}
