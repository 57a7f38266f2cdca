// Rows of every list by the keyboard: j and k go through them, x ticks one, e retries and # discards what is ticked.
// The focus stays where it was when a list is changed under it.

const $$ = selector => [...document.querySelectorAll(selector)];
const PRESSED = { e: '#bar [data-verb="retry"], #retry-chosen', '#': '#bar [data-verb="discard"], #discard-chosen' };
const LEADS = 'th a, td a, a, button, input';
const rows = () => $$('main table.t tbody tr').filter(row => row.querySelector(LEADS));
const enter = row => row?.querySelector(LEADS)?.focus();

document.addEventListener('keydown', event => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  if (event.target.matches('input:not([type="checkbox"]), textarea, select')) return;
  const all = rows(), here = all.indexOf(document.activeElement.closest('tr'));
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    event.preventDefault();
    enter(all[Math.min(all.length - 1, Math.max(0, here + step))]);
  } else if (event.key === 'x') {
    all[here]?.querySelector('input[type="checkbox"]')?.click();
  } else if (Object.hasOwn(PRESSED, event.key)) {
    const button = document.querySelector(PRESSED[event.key]);
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  }
});

/* What had the focus before a part was replaced: its id, its row's place and what it does there. A second part that is
   replaced before the first has settled finds the focus gone already, and leaves what the first one knew, until
   somebody presses something. */
let held = null;
const giveBack = () => {
  if (!held || document.activeElement !== document.body) return;
  const { element, id, list, place, row } = held, stays = list?.isConnected;
  const among = stays ? [...list.rows] : rows(), at = stays ? place : row;
  held = null;
  const again = element.isConnected ? element : id && document.getElementById(id);
  if (again) again.focus();
  if (document.activeElement === document.body && at >= 0) enter(among[Math.min(at, among.length - 1)]);
};
document.addEventListener('htmx:beforeSwap', () => {
  const element = document.activeElement, tr = element.closest('tr'), list = tr?.closest('tbody');
  if (element !== document.body) held = { element, id: element.id, list, place: tr?.sectionRowIndex, row: rows().indexOf(tr) };
});
document.addEventListener('htmx:afterSettle', giveBack);
/* A row that was taken out settles outside of the page, where nobody hears of it; an emptied list is fetched anew. */
document.addEventListener('htmx:afterRequest', () => { if (held?.list?.isConnected && held.list.rows.length) giveBack(); });
for (const type of ['pointerdown', 'keydown']) {
  document.addEventListener(type, event => { if (!event.repeat) held = null; }, { capture: true, passive: true });
}
/* A dialog gives the focus back to its opener; one that its action hid hands it to what stands there instead. */
document.addEventListener('close', event => {
  const opener = document.querySelector(`[data-dialog="${CSS.escape(event.target.id)}"]`);
  setTimeout(() => {
    if (document.activeElement !== document.body) return;
    const beside = [...opener?.parentElement.querySelectorAll('a, button') ?? []].find(each => each.checkVisibility());
    beside?.focus();
  });
}, true);
