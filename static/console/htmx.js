// htmx, fetched when something first needs it: it weighs as much as all of our own scripts, and a page that is only looked at needs none of it.

const ACTIVE = '[hx-get], [hx-post]';
let asked = null;

/** htmx once it has taken up the page's hx- attributes. Rejected when it cannot be fetched; the next call tries again. */
export function htmx() {
  asked ??= new Promise((done, failed) => {
    const script = document.createElement('script');
    script.src = document.body.dataset.htmx;
    script.addEventListener('load', () => done(window.htmx));
    script.addEventListener('error', () => { asked = null; script.remove(); failed(new Error('htmx could not be fetched')); });
    // Begun between the two, it would wait for DOMContentLoaded, which has been.
    if (document.readyState === 'complete') document.head.append(script);
    else addEventListener('load', () => document.head.append(script), { once: true });
  });
  return asked;
}

/** Has `place`, an element or a selector, fetch itself: fires the event of its hx-trigger. */
export function trigger(place, event) {
  htmx().then(it => it.trigger(place, event), () => { /* the next one tries again */ });
}

/* Somebody comes near a button that needs it. */
for (const type of ['pointerover', 'pointerdown', 'focusin']) {
  document.addEventListener(type, event => { if (!window.htmx && event.target.closest?.(ACTIVE)) htmx().catch(() => {}); }, { passive: true });
}

/* Pressed before it came: held back, and pressed again then. Without it the button does what it does without scripts. */
const waiting = new Map(); // element → whether htmx failed to come
const again = {
  click: ({ target }) => target.closest(ACTIVE).click(),
  // By its button: htmx takes from the click which one it was, and sends its value.
  submit: ({ target, submitter }) => (submitter ? submitter.click() : target.requestSubmit()),
};
for (const type of Object.keys(again)) {
  document.addEventListener(type, event => {
    const element = event.target.closest(type === 'submit' ? `form:is(${ACTIVE})` : `:is(a, button):is(${ACTIVE})`);
    if (!element || window.htmx || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (waiting.get(element)) { waiting.delete(element); return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (waiting.has(element)) return;
    waiting.set(element, false);
    htmx().then(() => waiting.delete(element), () => waiting.set(element, true)).then(() => again[type](event));
  }, true);
}

/* What fetches itself needs it from the start. */
if (document.querySelector('[hx-trigger]')) htmx().catch(() => {});
