// What waits, by source, kind and tenant: the lists of the overview, changed only when their numbers do.
import { number, visible } from './format.js';
import { onSnapshot } from './live.js';
import { setText } from './paint.js';

const $ = (selector, element = document) => element.querySelector(selector);
const WITHOUT = { by_source: 'no source', by_kind: 'brought by stock clients', by_tenant: 'no tenant' };
let shown = '';

function item({ name, count, others }, total, without) {
  const made = $('#share').content.firstElementChild.cloneNode(true);
  $('span', made).textContent = others ? `${number(others)} others` : visible(name) || without;
  $('b', made).textContent = number(count);
  $('.bar', made).setAttribute('width', `${total ? Math.min(100, count / total * 100) : 0}%`);
  return made;
}

if ($('#composition')) {
  onSnapshot(({ waiting }) => {
    const key = JSON.stringify(waiting);
    if (key === shown) return;
    shown = key;
    setText($('[data-k="waiting-said"]'), !waiting.jobs ? 'nothing' : waiting.estimated ? '≈ from a sample of each queue' : `${number(waiting.jobs)} jobs`);
    $('[data-k="shares"]').hidden = !waiting.by_kind.length;
    for (const [name, without] of Object.entries(WITHOUT)) {
      $(`[data-share="${name}"]`).replaceChildren(...waiting[name].map(share => item(share, waiting.jobs, without)));
    }
  });
}
