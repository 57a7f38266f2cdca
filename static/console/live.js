// What the page knows: the rows of the last minutes and the newest snapshot, kept through every reconnect.
import { schedule } from './paint.js';
import { renew } from './renew.js';
import { listen } from './socket.js';

const LONGEST = 900; // rows: 15 minutes at one a second, as long as the server's history

/** Rows: {at, <queue>: depth, wait_<queue>, started, in_rate, out_rate, dead_per_minute, failed, busy, oldest_wait, spool}. */
export const live = { rows: [], snapshot: null, state: { name: 'connecting', age: null }, paused: false, instead: null };

/** The rows of the last `seconds`: after an outage the kept ones reach further back. */
export function recent(seconds) {
  const end = live.rows.at(-1)?.at ?? 0, from = live.rows.findIndex(row => row.at > end - seconds);
  return from < 0 ? [] : live.rows.slice(from);
}

let followed = null, door = null, ask = () => {};
/** Calls `reader({id, job, log})` with this job's present state and at each change of it. One job a page. */
export function follow(id, reader) { followed = { id, reader, held: null }; ask(); }
function takeJob(frame) {
  if (followed?.id !== frame.id) return;
  if (live.paused) followed.held = frame; else followed.reader(frame);
}

/** Calls `reader(frame)` with what comes in at the door, once a second. Not beside `follow`. */
export function watchDoor(reader) { door = { reader, held: null }; ask(); }
function takeDoor(frame) {
  if (!door) return;
  if (live.paused) door.held = frame; else door.reader(frame);
}

const readers = { snapshot: [], state: [] };
/** Calls `reader` at each new snapshot (or change of state), and at once when there is one already. */
export function onSnapshot(reader) { readers.snapshot.push(reader); if (live.snapshot) reader(live.snapshot); }
export function onState(reader) { readers.state.push(reader); reader(live.state); }

/** While the line is down: what the page says it does instead; null: nothing. */
export function sayInstead(text) {
  if (live.instead === text) return;
  live.instead = text;
  tellState(live.state);
}

function tellState(state) {
  live.state = live.paused && state.name === 'live' ? { ...state, name: 'paused' } : state;
  for (const reader of readers.state) reader(live.state);
}

/** Pausing stops the page from moving; the line stays up, and going on shows the newest at once. */
export function pause(on) {
  live.paused = on;
  if (!on && held) { const frame = held; held = null; take(frame); }
  if (!on && followed?.held) { const frame = followed.held; followed.held = null; takeJob(frame); }
  if (!on && door?.held) { const frame = door.held; door.held = null; takeDoor(frame); }
  tellState(on ? { ...live.state, name: 'paused' } : { ...live.state, name: 'live' });
}
let held = null;

function row(snapshot) {
  const { totals, queues } = snapshot;
  const made = {
    at: snapshot.at, started: totals.started, in_rate: totals.in_rate, out_rate: totals.out_rate, failed: totals.failed,
    dead_per_minute: totals.dead_per_minute, busy: snapshot.workers.busy, oldest_wait: totals.oldest_wait?.seconds ?? 0, spool: snapshot.spool.count,
  };
  for (const q of queues) { made[q.name] = q.depth; made[`wait_${q.name}`] = q.oldest_wait ?? 0; }
  return made;
}

function keep(snapshot) {
  if (!live.rows.length || snapshot.at > live.rows.at(-1).at) live.rows.push(row(snapshot));
  if (live.rows.length > LONGEST) live.rows.splice(0, live.rows.length - LONGEST);
}

function take(snapshot) {
  live.snapshot = snapshot;
  for (const reader of readers.snapshot) reader(snapshot);
  schedule();
}

export function start() {
  listen({
    state: tellState,
    open(send) {
      ask = () => { if (followed) send(JSON.stringify({ follow: followed.id })); if (door) send(JSON.stringify({ door: true })); };
      ask();
    },
    job: takeJob,
    door: takeDoor,
    // All of it, or what was missed: either way it stands in the place of the rows from its first on.
    history({ columns, rows, release }) {
      const come = rows.map(values => Object.fromEntries(columns.map((name, i) => [name, values[i] ?? 0]))), first = come[0]?.at ?? Infinity;
      live.rows = [...live.rows.filter(row => row.at < first), ...come].slice(-LONGEST);
      schedule();
      if (release && release !== document.body.dataset.release) renew();
    },
    // Paused, the row is kept all the same: else the charts had a hole afterwards.
    snapshot(frame) { keep(frame); if (live.paused) held = frame; else take(frame); },
  });
}
