// Lists whose rows stay: when jobs were processed, and every while anyway (people press buttons too), the page asks what is new.
import { trigger } from './htmx.js';
import { onSnapshot } from './live.js';

const SHORTEST = 3000; // ms between two questions while jobs run
const LONGEST = 15000; // ms without any
let processed = null, asked = Date.now();

onSnapshot(({ totals }) => {
  const place = document.querySelector('#alert-news, #alert, #audit-news');
  const moved = processed !== null && totals.processed !== processed, age = Date.now() - asked;
  if (!place || document.hidden || age < SHORTEST || (!moved && age < LONGEST && processed !== null)) {
    processed ??= totals.processed;
    return;
  }
  processed = totals.processed;
  asked = Date.now();
  trigger(place, 'moved');
});
