// A new source: the page turns as soon as something came with its key.
import { trigger } from './htmx.js';
import { watchDoor } from './live.js';

let before = 0;
watchDoor(({ keys }) => {
  const place = document.querySelector('#waiting');
  const [accepted = 0, refused = 0] = keys[place?.dataset.key] ?? [];
  // Also what was refused says something; and what came while the page was on its way here.
  if (place && accepted + refused > before) trigger(place, 'came');
  before = accepted + refused;
});
