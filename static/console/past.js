// What lies further back than the socket's 15 minutes, and the marks on the charts: asked for, and again as time moves on.
import { live, recent } from './live.js';
import { schedule } from './paint.js';

const NEAR = 900; // seconds: the socket brings these
const AGAIN = 15; // seconds between two questions at least

export class Past {
  #url; #told; #seconds = NEAR; #asked = 0; #timer = 0; #rows = []; #step = 1; #marks = [];

  /** told(text): what the page says while it waits, '' when there is nothing to say. */
  constructor(url, told) { this.#url = url; this.#told = told; }

  choose(seconds) {
    this.#seconds = seconds;
    this.#rows = [];
    this.#ask();
  }

  get marks() { return this.#marks; }

  /** The rows of the window, the oldest first, up to now. */
  rows() {
    if (this.#seconds <= NEAR) return recent(this.#seconds);
    const end = this.#rows.at(-1)?.at ?? Infinity, step = this.#step, tail = live.rows.filter(row => row.at > end);
    // In steps as the others, or each of those would be a hole beside what came by the second.
    return [...this.#rows, ...tail.filter((_, i) => i % step === step - 1 || i === tail.length - 1)];
  }

  async #ask() {
    clearTimeout(this.#timer);
    const seconds = this.#seconds, asked = ++this.#asked, far = seconds > NEAR;
    if (live.state.name === 'reconnecting') { // the server is away; the socket will tell when it is back
      this.#timer = setTimeout(() => this.#ask(), 1000);
      return;
    }
    if (far && !this.#rows.length) this.#told('Reading what was …');
    try {
      const answer = await fetch(`${this.#url}?window=${seconds}${far ? '' : '&rows=0'}`, { headers: { Accept: 'application/json' } });
      if (asked !== this.#asked) return; // another window was chosen meanwhile
      if (!answer.ok) throw new Error(String(answer.status));
      const { columns, rows, marks, step } = await answer.json();
      if (asked !== this.#asked) return;
      this.#rows = rows.map(values => Object.fromEntries(columns.map((name, i) => [name, values[i] ?? 0])));
      this.#step = step;
      this.#marks = marks;
      this.#told('');
      this.#timer = setTimeout(() => this.#ask(), 1000 * Math.max(AGAIN, step));
    } catch {
      if (asked !== this.#asked) return;
      if (far) this.#told('What was cannot be read now; asking again.');
      this.#timer = setTimeout(() => this.#ask(), 1000 * AGAIN);
    }
    schedule();
  }
}
