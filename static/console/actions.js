// Buttons that do something: htmx sends them, the answer's header says what happened, dialogs ask first.
import { htmx } from './htmx.js';
import { toast, undoForm } from './toast.js';

/* The server answers an action with HX-Trigger: {"said": {"text": …, "level": …, "undo": operation, "log": address}}. */
document.addEventListener('said', event => {
  const { text, level, undo, log } = event.detail, form = undoForm(undo);
  toast(text, level, form, log);
  if (form) htmx().then(it => it.process(form));
});

/* The session ended: htmx followed the redirect to the login page; go there instead of swapping it in. */
document.addEventListener('htmx:beforeSwap', event => {
  const { xhr, requestConfig } = event.detail;
  if (!xhr.responseURL) return;
  const wanted = new URL(requestConfig.path, location.href).pathname, came = new URL(xhr.responseURL).pathname;
  if (came !== wanted && came === new URL(document.body.dataset.login, location.href).pathname) {
    event.detail.shouldSwap = false;
    location.assign(`${came}?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
});
/* The page that is answered instead says it at its top. */
const whatIsAway = page =>
  new DOMParser().parseFromString(page, 'text/html').querySelector('.code-no + h1')?.textContent.trim()
    ?? 'Redis or the database does not answer';
document.addEventListener('htmx:responseError', event => {
  const { status, responseText } = event.detail.xhr;
  if (event.detail.xhr.getResponseHeader('HX-Trigger')) return; // it was said already, in better words
  toast(status === 403 ? 'Refused: your account may not do this, or the page is too old. Reload it and try again.'
    : status === 503 ? `${whatIsAway(responseText)}. ${event.detail.requestConfig.verb === 'get'
      ? 'The page stands still until it is back.' : 'What was done until then shows once it is back.'}`
      : `The server answered ${status}. Look at the list for what was done.`, 'error');
});
document.addEventListener('htmx:sendError', () =>
  toast('No answer from the server. Whether it was done shows when the line is back.', 'error'));
document.addEventListener('htmx:timeout', () =>
  toast('The server took too long. Whether it was done shows in the list.', 'error'));

/* A button that is at work cannot be pressed twice. */
const busy = (event, on) => {
  const element = event.detail.elt;
  for (const button of element.matches('form') ? element.querySelectorAll('button') : [element]) {
    if (button.tagName === 'BUTTON') button.toggleAttribute('aria-busy', on);
  }
};
document.addEventListener('htmx:beforeRequest', event => busy(event, true));
document.addEventListener('htmx:afterRequest', event => busy(event, false));
document.addEventListener('click', event => {
  if (event.target.closest('button[aria-busy]')) event.preventDefault();
}, true);

/* A link with data-dialog opens that dialog; without scripts it leads to the page that asks the same. */
document.addEventListener('click', event => {
  const opener = event.target.closest('[data-dialog]');
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog) return;
  event.preventDefault();
  dialog.showModal();
});
document.addEventListener('click', event => {
  const dialog = event.target.closest('dialog');
  if (dialog && (event.target === dialog || event.target.closest('[data-close]'))) dialog.close();
});
document.addEventListener('htmx:afterRequest', event => event.detail.elt.closest?.('dialog')?.close());

/* Copy buttons: data-copy names the element whose text is taken. */
document.addEventListener('click', async event => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    toast('Copied.', 'success');
  } catch {
    toast('The browser did not allow copying.', 'warning');
  }
});
