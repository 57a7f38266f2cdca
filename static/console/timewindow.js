// The time window of a page's charts: chosen by its buttons, kept in the address.

const FIRST = 900; // seconds
const buttons = [...document.querySelectorAll('[data-window]')];
const readers = [];
let seconds = Number(new URLSearchParams(location.search).get('window'));
if (!buttons.some(button => Number(button.dataset.window) === seconds)) seconds = FIRST;

function show() {
  for (const button of buttons) button.setAttribute('aria-pressed', String(Number(button.dataset.window) === seconds));
}
for (const button of buttons) {
  button.addEventListener('click', () => {
    seconds = Number(button.dataset.window);
    const address = new URL(location.href);
    address.searchParams.set('window', seconds);
    history.replaceState(history.state, '', address);
    show();
    for (const reader of readers) reader(seconds);
  });
}
show();

/** Calls `reader(seconds)` now and at each choice. */
export function onWindow(reader) { readers.push(reader); reader(seconds); }
