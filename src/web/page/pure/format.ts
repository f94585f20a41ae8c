/**
 * Numbers as people read them: at most three or four significant digits, a unit, never a jumping
 * width. Everything here is pure, and tested without a browser.
 *
 * Not for: where numbers come from, or how they are laid out.
 */

const STEPS = ['', 'k', 'M', 'G', 'T', 'P'];
const STEP = 1000;
const DAY_S = 86_400;
const HOUR_S = 3600;
const MINUTE_S = 60;

/** What stands where a number is not known. */
export const UNKNOWN = '–';

export type Maybe = number | null | undefined;

const known = (n: Maybe): n is number => typeof n === 'number' && Number.isFinite(n);

/** Three significant digits and a prefix of 1000: `[ '12.3', 'k' ]`. */
export function scaled(n: number): [string, string] {
  let size = Math.abs(n);
  let step = 0;
  while (size >= 999.5 && step < STEPS.length - 1) {
    size /= STEP;
    step += 1;
  }
  const digits = step === 0 && Number.isInteger(n) ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
  const text = size.toFixed(digits);
  return [n < 0 ? `-${text}` : text, STEPS[step]];
}

/** 1234567 -> '1.23 M'; with a unit '1.23 Mbit/s'. */
export function short(n: Maybe, unit = ''): string {
  if (!known(n)) return UNKNOWN;
  const [text, prefix] = scaled(n);
  const tail = `${prefix}${unit}`;
  return tail === '' ? text : `${text} ${tail}`;
}

/** Packets a second. Below one, a quiet port is told from a dead one. */
export function packetRate(pps: Maybe): string {
  if (!known(pps)) return UNKNOWN;
  if (pps > 0 && pps < 0.05) return '< 0.1';
  if (pps < 10 && !Number.isInteger(pps)) return pps.toFixed(1);
  return short(pps < 1000 ? Math.round(pps) : pps);
}

/** Bits a second. */
export function bitRate(bits: Maybe): string {
  if (!known(bits)) return UNKNOWN;
  return short(bits < 1000 ? Math.round(bits) : bits, 'bit/s');
}

export function bytes(n: Maybe): string {
  return short(n, 'B');
}

/** All digits, in groups: 1 234 567 (narrow no-break spaces). */
export function count(n: Maybe): string {
  if (!known(n)) return UNKNOWN;
  return String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** A share of one: 0.0312 -> '3.1 %'. */
export function percent(share: Maybe): string {
  if (!known(share)) return UNKNOWN;
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/** Seconds, in the two largest units: '3 d 4 h', '4 min 5 s', '0.4 s'. */
export function duration(seconds: Maybe): string {
  if (!known(seconds)) return UNKNOWN;
  const s = Math.max(0, seconds);
  if (s < 1 && s > 0) return `${s.toFixed(1)} s`;
  const whole = Math.floor(s);
  const [d, h, m] = [DAY_S, HOUR_S, MINUTE_S].map((unit) => Math.floor(whole / unit));
  if (d > 0) return `${d} d ${h % 24} h`;
  if (h > 0) return `${h} h ${m % 60} min`;
  if (m > 0) return `${m} min ${whole % 60} s`;
  return `${whole} s`;
}

/** Local time with milliseconds, as in the log: '12:30:01.250'. */
export function timeOfDay(atMs: number): string {
  const time = new Date(atMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

/** A list for people: 'a, b and 3 more'. */
export function fewOf(items: readonly string[], most = 6): string {
  if (items.length <= most) return items.join(', ');
  return `${items.slice(0, most).join(', ')} and ${items.length - most} more`;
}

/** 'port' or 'ports'. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
