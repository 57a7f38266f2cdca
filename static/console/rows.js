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
   replaced before the first has settled finds the focus gone already, and leaves what the first one knew. */
const SETTLES = 1000; // ms
let held = null;
document.addEventListener('htmx:beforeSwap', () => {
  const element = document.activeElement, at = performance.now();
  if (element !== document.body) held = { element, id: element.id, row: rows().indexOf(element.closest('tr')), at };
  else if (held && at - held.at > SETTLES) held = null;
});
document.addEventListener('htmx:afterSettle', () => {
  if (!held || document.activeElement !== document.body) return;
  const { element, id, row } = held, all = rows();
  held = null;
  const again = element.isConnected ? element : id && document.getElementById(id);
  if (again) again.focus();
  if (document.activeElement === document.body && row >= 0) enter(all[Math.min(row, all.length - 1)]);
});
/* A dialog gives the focus back to its opener; one that its action hid hands it to what stands there instead. */
document.addEventListener('close', event => {
  const opener = document.querySelector(`[data-dialog="${CSS.escape(event.target.id)}"]`);
  setTimeout(() => {
    if (document.activeElement !== document.body) return;
    const beside = [...opener?.parentElement.querySelectorAll('a, button') ?? []].find(each => each.checkVisibility());
    beside?.focus();
  });
}, true);
