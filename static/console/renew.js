// When a page cannot go on as it is: its session is over, or the server has another version of it.
import { toast } from './toast.js';

const AGAIN = 30_000; // ms; sooner it did not help, and a page must not go round in circles

/** Somebody writes or chooses, and would lose it. */
function isBusy() {
  if (document.querySelector('dialog[open]')) return true;
  return [...document.querySelectorAll('main input:not([type="hidden"], [type="search"]), main textarea')]
    .some(field => field.value !== field.defaultValue || field.checked !== field.defaultChecked);
}

function wasTried(what) {
  try {
    const before = Number(sessionStorage.getItem(what));
    sessionStorage.setItem(what, Date.now());
    return Date.now() - before < AGAIN;
  } catch { return true; } // storage is off: whoever looks decides
}

/** To the sign-in, which says why and leads back here. */
export function signIn() {
  if (isBusy() || wasTried('signed-out')) return toast('You are signed out, so the numbers stand still. Reload the page to sign in.', 'error');
  location.assign(`${document.body.dataset.login}?ended=1&next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** The same page, from the server that runs now. */
export function renew() {
  if (isBusy() || wasTried('renewed')) return toast('queueadmin was updated. Reload the page to go on with the new version.');
  location.reload();
}
