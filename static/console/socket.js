// The live line: one socket, history first, then what changes, once a second. Reconnects by itself, for ever; while there
// is none the same frames are fetched every few seconds.

const FIRST_WAIT = 1000; // ms; doubles up to LONGEST_WAIT
const LONGEST_WAIT = 8000;
const NOT_LOGGED_IN = 4401; // the server's close code: the session ended, trying again cannot help
const NOT_ALLOWED = 4403; // signed in, and may not see what it tells
const QUIET_AFTER = 5000; // ms without news: without its publisher the server still reads every 3 s
const DEAD_AFTER = 15_000; // ms without a word: a line that was cut is noticed by nobody else, such as after a laptop's sleep
const POLL_AFTER = 4000; // ms without a snapshot
const POLL_EVERY = 5000;

/** `whole` with the members that `changed` has; see queueadmin/console/live/deltas.py. */
function patched(whole, changed) {
  if (changed === null || typeof changed !== 'object' || Array.isArray(changed) || whole === null || typeof whole !== 'object') return changed;
  const made = Array.isArray(whole) ? [...whole] : { ...whole };
  for (const [name, value] of Object.entries(changed)) made[name] = patched(made[name] ?? null, value);
  return made;
}

/**
 * Opens the line and keeps it. Calls `on.open(send)` at each opening, `on.history(frame)`, `on.snapshot(frame)`, `on.job(frame)`,
 * `on.door(frame)` and
 * `on.state({name, wait, age, every})`, name one of connecting, live, stale, polling, reconnecting, signed-out, not-allowed;
 * wait: seconds to the next try; age: seconds since the last snapshot, null before the first; every: seconds between two fetches.
 */
export function listen(on) {
  const { host, protocol } = location, { root, rows } = document.body.dataset;
  const address = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${root}ws/console/?deltas=1`;
  // The rows of the history are 80 KB: where nothing is drawn none are wanted, and whoever comes back has most of them.
  const wanted = () => rows === undefined ? '&rows=0' : at ? `&after=${at}` : '';
  let socket = null, wait = FIRST_WAIT, retryAt = 0, timer = 0, opened = false, over = '';
  let last = 0, heard = 0, at = 0, whole = null; // when the numbers last moved, when anything last came, the newest snapshot's time, and it
  let polling = 0, polled = false; // the next fetch; whether the last one succeeded

  const age = () => last ? Math.round((Date.now() - last) / 1000) : null;

  function take(frame) {
    if (frame.type === 'history') on.history(frame);
    if (frame.type === 'job') on.job(frame);
    if (frame.type === 'door') on.door(frame);
    if (frame.type === 'delta') { if (whole) snapshot(patched(whole, frame.changed)); }
    if (frame.type === 'snapshot') snapshot(frame);
  }
  function snapshot(frame) {
    whole = frame;
    // While Redis is away the server repeats the last counts it knew: their age goes on.
    if (frame.at !== at) last = Date.now();
    at = frame.at;
    on.snapshot(frame);
  }

  function open() {
    clearTimeout(timer);
    retryAt = 0; opened = false; whole = null;
    const mine = socket = new WebSocket(address + wanted());
    polling ||= setTimeout(poll, POLL_AFTER);
    mine.addEventListener('open', () => { opened = true; heard = Date.now(); on.open(message => { if (mine.readyState === WebSocket.OPEN) mine.send(message); }); });
    mine.addEventListener('message', event => {
      if (mine !== socket) return;
      heard = Date.now();
      take(JSON.parse(event.data));
      if (whole) { wait = FIRST_WAIT; clearTimeout(polling); polling = 0; polled = false; }
      tell();
    });
    mine.addEventListener('close', event => {
      if (mine !== socket) return;
      over = { [NOT_LOGGED_IN]: 'signed-out', [NOT_ALLOWED]: 'not-allowed' }[event.code] ?? '';
      again();
    });
    tell();
  }

  function again() {
    socket = null;
    if (over) return tell();
    // Jitter: after a restart a hundred pages must not come back in the same instant.
    const pause = wait * (0.75 + Math.random() * 0.5);
    wait = Math.min(wait * 2, LONGEST_WAIT);
    retryAt = Date.now() + pause;
    timer = setTimeout(open, pause);
    polling ||= setTimeout(poll, POLL_AFTER);
    tell();
  }

  async function poll() {
    if (!document.hidden) {
      try {
        const answer = await fetch(`${root}live/?after=${at}`, { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(10_000) });
        if (!polling) return; // the socket is back
        // Whoever is signed out is led to the sign-in, as on every page.
        over = answer.redirected ? 'signed-out' : answer.status === 403 ? 'not-allowed' : '';
        polled = answer.ok && !over;
        if (polled) for (const frame of await answer.json()) if (polling) take(frame);
      } catch { polled = false; }
      if (!polling) return;
      tell();
      if (over) return;
    }
    polling = setTimeout(poll, POLL_EVERY);
  }

  function tell() {
    if (over) return on.state({ name: over, age: age() });
    if (polled) return on.state({ name: 'polling', every: POLL_EVERY / 1000, age: age() });
    if (!socket) return on.state({ name: 'reconnecting', wait: Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)), age: age() });
    if (!last || !opened) return on.state({ name: last ? 'reconnecting' : 'connecting', wait: 0, age: age() });
    on.state({ name: Date.now() - last > QUIET_AFTER ? 'stale' : 'live', age: age() });
  }

  setInterval(() => {
    if (socket && opened && Date.now() - heard > DEAD_AFTER) {
      const dead = socket;
      again();
      dead.close();
    }
    tell();
  }, 1000);
  const now = () => { if (!over && !socket) { wait = FIRST_WAIT; open(); } };
  addEventListener('online', now);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) now(); });
  open();
}
