// Numbers, durations and times as words. Mirrors templatetags/console.py, so that the first paint and
// the live page never differ; tests/browser/test_format.py holds them together.

const fixed = n => (Math.round(n * 10) / 10).toFixed(1);

export const number = n => Number.isFinite(n) ? Math.round(n).toLocaleString('en-US') : '–';

/** A text whose characters that turn it around are shown as what they are; mirrors visible.py. */
export const visible = text => String(text ?? '').replace(/[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const short = n => n >= 1e6 ? `${+fixed(n / 1e6)}M` : n >= 1e4 ? `${+fixed(n / 1e3)}k` : number(n);

/** A rate per second: one decimal while it is small enough to matter. */
export const rate = n => !Number.isFinite(n) ? '–' : Math.abs(n) < 1000 ? fixed(n) : number(n);

/** A change per second, sign first; '' when it rounds to nothing. */
export function change(n) {
  if (!Number.isFinite(n) || Math.abs(n) < 0.05) return '';
  const text = Math.abs(n) < 10 ? fixed(Math.abs(n)) : number(Math.abs(n));
  return `${n > 0 ? '+' : '−'}${text}/s`;
}

/** Seconds in words people use: "0.4 s", "22 s", "3 min", "1.5 h", "2 d". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const s = Math.max(0, seconds);
  if (s < 9.95) return `${fixed(s)} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${fixed(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** How long an answer took, given seconds: "0.8 ms", "11 ms", "1.2 s". */
export function millis(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const ms = seconds * 1000;
  return ms >= 999.5 ? duration(seconds) : `${ms < 9.95 ? fixed(ms) : number(ms)} ms`;
}

export const percent = n => Number.isFinite(n) ? `${fixed(n)} %` : '–';

/** A target: whole seconds, or minutes from two minutes on. */
export const target = s => s < 120 ? `${s} s` : s % 60 ? `${fixed(s / 60)} min` : `${s / 60} min`;

const whole = s => s < 90 ? `${s} s` : duration(s);
/** How long ago, or how far ahead, an instant is. Both in Unix seconds. */
export function ago(then, now) {
  const s = now - then;
  if (s < -1) return `in ${whole(Math.max(1, Math.round(-s)))}`;
  if (s < 1) return 'now';
  return `${whole(Math.round(s))} ago`;
}

export const clearsIn = value => value === null || value === undefined ? 'clear' : typeof value === 'string' ? value : duration(value);

/** A pause and what is left of it: "paused, 12 min left", or "paused" when somebody must resume it. */
export const pauseLeft = (until, now) => until === null ? 'paused' : `paused, ${duration(until - now)} left`;

export const bytes = n => {
  if (!Number.isFinite(n)) return '–';
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (n < 1024 || unit === 'GB') return `${unit === 'B' || n >= 10 ? number(n) : +fixed(n)} ${unit}`;
    n /= 1024;
  }
};

export const memory = redis => redis.status === 'disabled' ? 'none' : redis.max_memory > 0
  ? `${Math.round(redis.used_memory / redis.max_memory * 100)} % of ${bytes(redis.max_memory)}`
  : bytes(redis.used_memory);

/** Whether what a handler says of its progress can be a bar. */
export const isPercent = value => typeof value === 'number' && value >= 0 && value <= 100;

/** What a handler says of its progress: "40 %", its own words, or JSON. */
export function progressWords(value) {
  if (value === null || value === undefined) return '';
  if (isPercent(value)) return `${+value.toPrecision(6)} %`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/* Times: the browser's zone, or UTC when the reader chose so. */
let utc = false;
try { utc = localStorage.getItem('zone') === 'utc'; } catch { /* storage is off: the browser's zone */ }
export const isUtc = () => utc;
export function setUtc(on) {
  utc = on;
  try { localStorage.setItem('zone', on ? 'utc' : 'local'); } catch { /* holds for this page only */ }
}
const two = n => String(n).padStart(2, '0');
/** "14:41", with `seconds` "14:41:30". */
export function clock(at, seconds = false) {
  const d = new Date(at * 1000);
  const [h, m, s] = utc ? [d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()] : [d.getHours(), d.getMinutes(), d.getSeconds()];
  return seconds ? `${two(h)}:${two(m)}:${two(s)}` : `${two(h)}:${two(m)}`;
}
/** An instant on an axis of so many seconds: "14:41:30", "14:41", "22 Nov 14:00" or "22 Nov". */
export function tick(at, span) {
  if (span <= 90_000) return clock(at, span < 400);
  const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: utc ? 'UTC' : undefined }).format(at * 1000);
  return span > 700_000 ? day : `${day} ${clock(at)}`;
}
/** "2026-11-22 14:41:30" and the zone. */
export function full(at) {
  const d = new Date(at * 1000);
  const day = utc ? d.toISOString().slice(0, 10) : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${day} ${clock(at, true)} ${zone()}`;
}
export const zone = () => utc ? 'UTC' : (new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts().find(p => p.type === 'timeZoneName')?.value ?? 'local');
