/**
 * A long list, read whole now and then, and shown a page at a time.
 *
 *     page(query) ──> the last snapshot ──> filter ──> sort ──> cut
 *          └── reads a new one in the background when the last is old; one at a time
 *
 * The list takes a while to read, and the switch has better things to do: the longer a reading
 * took, the longer until the next (`REST_FACTOR`). Filtered and sorted orders are kept until the
 * next snapshot, so that scrolling costs nothing.
 */
import type { Clock } from '../../common/clock.js';
import type { PageQuery } from '../api/index.js';
import { parseFilter } from './filter.js';

export interface SnapshotRow {
  id: string;
  packets: number;
  bytes: number;
  pps: number | null;
  bps: number | null;
}

export interface SnapshotOptions<T extends SnapshotRow> {
  clock: Clock;
  /** Reads the whole list; rates are not its business. */
  read(): Promise<T[]>;
  /** What words of a filter are sought in. */
  text(row: T): string;
  /** Columns that may be compared and sorted by as numbers. */
  numbers: readonly (keyof T & string)[];
  /** Columns that may be sorted by as text. */
  texts: readonly (keyof T & string)[];
  /** The order when none is asked for. */
  usual(a: T, b: T): number;
}

export interface Page<T> {
  total: number;
  matching: number;
  offset: number;
  sampledAt: number;
  readMs: number;
  rows: T[];
}

/** A reading of so long a list rests this many times the time that it took. */
const REST_FACTOR = 10;
/** Less than a second: who asks every second gets a new one each time. */
const AGE_MS_MIN = 900;
/** A list that is read so fast is waited for. */
const FAST_MS = 50;
/** Orders that are kept of one snapshot. */
const ORDERS_MAX = 8;
/** A list that nobody has looked at for this long is forgotten. */
const IDLE_MS = 30_000;
const LIMIT = 100;

interface Taken<T> {
  rows: T[];
  atMs: number;
  wallMs: number;
  readMs: number;
  orders: Map<string, T[]>;
}

export class Snapshot<T extends SnapshotRow> {
  private taken: Taken<T> | null = null;
  private reading: Promise<Taken<T>> | null = null;
  private idle: NodeJS.Timeout | null = null;
  private readonly columns: ReadonlySet<string>;

  constructor(private readonly options: SnapshotOptions<T>) {
    this.columns = new Set(options.numbers);
  }

  /** @param only rows that this lets through, under this name */
  async page(query: PageQuery, only?: { name: string; passes(row: T): boolean }): Promise<Page<T>> {
    const taken = await this.current();
    const rows = this.order(taken, query, only);
    const offset = query.offset ?? 0;
    return {
      total: taken.rows.length,
      matching: rows.length,
      offset,
      sampledAt: taken.wallMs,
      readMs: Math.round(taken.readMs),
      rows: rows.slice(offset, offset + (query.limit ?? LIMIT)),
    };
  }

  /** All rows of the last snapshot. */
  async rows(): Promise<readonly T[]> {
    return (await this.current()).rows;
  }

  /** The list has been changed: the next page waits for a new reading. */
  async renew(): Promise<void> {
    await this.reading?.catch(() => {});
    if (this.taken) await this.read();
  }

  close(): void {
    if (this.idle) clearTimeout(this.idle);
    this.idle = null;
    this.taken = null;
  }

  private async current(): Promise<Taken<T>> {
    this.stayAwake();
    const { taken } = this;
    if (!taken) return this.read();
    const age = this.options.clock.now() - taken.atMs;
    // The old one stands until the new one is there; whoever failed to read hears it next time.
    if (age >= Math.max(AGE_MS_MIN, taken.readMs * REST_FACTOR)) {
      const reading = this.read();
      if (age > IDLE_MS || taken.readMs < FAST_MS) return reading;
      reading.catch(() => {
        this.taken = null;
      });
    }
    return taken;
  }

  private read(): Promise<Taken<T>> {
    this.reading ??= this.take().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async take(): Promise<Taken<T>> {
    const { clock, read } = this.options;
    const startedMs = clock.now();
    const rows = await read();
    const atMs = clock.now();
    this.addRates(rows, atMs);
    const readMs = atMs - startedMs;
    this.taken = { rows, atMs, wallMs: clock.wallNow(), readMs, orders: new Map() };
    return this.taken;
  }

  private addRates(rows: readonly T[], atMs: number): void {
    if (!this.taken) return;
    const seconds = (atMs - this.taken.atMs) / 1000;
    const before = new Map(this.taken.rows.map((row) => [row.id, row]));
    for (const row of rows) {
      const old = before.get(row.id);
      if (!old || row.packets < old.packets) continue;
      row.pps = Math.round(((row.packets - old.packets) / seconds) * 10) / 10;
      row.bps = Math.round(((row.bytes - old.bytes) * 8) / seconds);
    }
  }

  private order(
    taken: Taken<T>,
    query: PageQuery,
    only?: { name: string; passes(row: T): boolean },
  ): T[] {
    const { filter = '', sort = '', desc = false } = query;
    const key = JSON.stringify([filter, sort, desc, only?.name]);
    const kept = taken.orders.get(key);
    if (kept) return kept;
    const { comparisons, matches } = parseFilter(filter, this.columns);
    const { text } = this.options;
    const rows = taken.rows.filter(
      (row) =>
        (only?.passes(row) ?? true) &&
        comparisons.every(({ column, test }) => test(Number(row[column as keyof T] ?? 0))) &&
        matches(text(row)),
    );
    rows.sort(this.comparator(sort, desc));
    if (taken.orders.size >= ORDERS_MAX) taken.orders.clear();
    taken.orders.set(key, rows);
    return rows;
  }

  private comparator(sort: string, desc: boolean): (a: T, b: T) => number {
    const { numbers, texts, usual } = this.options;
    const sign = desc ? -1 : 1;
    const number = numbers.find((name) => name === sort);
    if (number) {
      const of = (row: T): number => Number(row[number] ?? -1);
      return (a, b) => sign * (of(a) - of(b)) || usual(a, b);
    }
    const name = texts.find((each) => each === sort);
    if (!name) return (a, b) => sign * usual(a, b);
    return (a, b) => {
      const [x, y] = [String(a[name]), String(b[name])];
      return x < y ? -sign : x > y ? sign : usual(a, b);
    };
  }

  private stayAwake(): void {
    if (this.idle) this.idle.refresh();
    else {
      this.idle = setTimeout(() => this.close(), IDLE_MS);
      this.idle.unref();
    }
  }
}
