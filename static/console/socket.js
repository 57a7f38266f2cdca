// The live line: one socket, history first, then a snapshot a second. Reconnects by itself, for ever.

const FIRST_WAIT = 1000; // ms; doubles up to LONGEST_WAIT
const LONGEST_WAIT = 8000;
const NOT_LOGGED_IN = 4401; // the server's close code: the session ended, trying again cannot help
const NOT_ALLOWED = 4403; // signed in, and may not see what it tells
const QUIET_AFTER = 5000; // ms without news: without its publisher the server still reads every 3 s

/**
 * Opens the line and keeps it. Calls `on.open(send)` at each opening, `on.history(frame)`, `on.snapshot(frame)`, `on.job(frame)`,
 * `on.door(frame)` and
 * `on.state({name, wait, age})`, name one of connecting, live, stale, reconnecting, signed-out, not-allowed;
 * wait: seconds to the next try; age: seconds since the last snapshot, null before the first.
 */
export function listen(on) {
  const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${document.body.dataset.root}ws/console/`;
  let socket = null, wait = FIRST_WAIT, retryAt = 0, timer = 0, last = 0, at = 0, opened = false, over = '';

  const age = () => last ? Math.round((Date.now() - last) / 1000) : null;

  function open() {
    clearTimeout(timer);
    retryAt = 0; opened = false;
    const mine = socket = new WebSocket(address);
    mine.addEventListener('open', () => { opened = true; on.open(message => { if (mine.readyState === WebSocket.OPEN) mine.send(message); }); });
    mine.addEventListener('message', event => {
      const frame = JSON.parse(event.data);
      if (frame.type === 'history') on.history(frame);
      if (frame.type === 'job') on.job(frame);
      if (frame.type === 'door') on.door(frame);
      if (frame.type === 'snapshot') {
        // While Redis is away the server repeats the last counts it knew: their age goes on.
        if (frame.at !== at) last = Date.now();
        at = frame.at;
        wait = FIRST_WAIT;
        on.snapshot(frame);
      }
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
    tell();
  }

  function tell() {
    if (over) return on.state({ name: over, age: age() });
    if (!socket) return on.state({ name: 'reconnecting', wait: Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)), age: age() });
    if (!last || (!opened && last)) return on.state({ name: last ? 'reconnecting' : 'connecting', wait: 0, age: age() });
    on.state({ name: Date.now() - last > QUIET_AFTER ? 'stale' : 'live', age: age() });
  }

  setInterval(tell, 1000);
  const now = () => { if (!over && !socket) { wait = FIRST_WAIT; open(); } };
  addEventListener('online', now);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) now(); });
  open();
}
