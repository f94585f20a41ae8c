/**
 * Event counters and their rates: `coverage/show` and `coverage/read-counter`.
 *
 * Whoever counts keeps its own totals and registers a source that lists them; nothing is asked of
 * the code that counts. Every 5 seconds the totals are sampled:
 *
 *     slots[0 .. 719]   ring, one slot for each 5 s of the last hour: how much was counted in it
 *                       rate over 5 s: last slot; a minute: last 12; an hour: all 720
 */
import type { PollModule } from '../common/poll-loop.js';
import { UnixctlError, type UnixctlServer } from './server.js';

/** Lists counters: name and total since the start. */
export type CoverageSource = () => Iterable<readonly [name: string, total: number]>;

const SAMPLE_MS = 5000;
const SLOTS_PER_MINUTE = 60_000 / SAMPLE_MS;
const SLOTS_PER_HOUR = 60 * SLOTS_PER_MINUTE;
/** Counters beyond this are shown without rates: it bounds what samples take. */
const COUNTERS_MAX = 1024;

interface History {
  lastTotal: number;
  slots: Float64Array;
}

export class Coverage implements PollModule {
  private readonly sources: CoverageSource[] = [];
  private readonly histories = new Map<string, History>();
  private readonly ownTotals = new Map<string, number>();
  private slot = 0;
  private nextSampleMs: number;

  constructor(nowMs: number) {
    this.nextSampleMs = nowMs + SAMPLE_MS;
    this.addSource(() => this.ownTotals);
  }

  addSource(source: CoverageSource): void {
    this.sources.push(source);
  }

  /** Counts an event that has no source of its own. */
  increment(name: string, by = 1): void {
    this.ownTotals.set(name, (this.ownTotals.get(name) ?? 0) + by);
  }

  run(now: number): void {
    if (now < this.nextSampleMs) return;
    const slots = Math.floor((now - this.nextSampleMs) / SAMPLE_MS) + 1;
    const totals = this.totals();
    for (let i = 0; i < Math.min(slots, SLOTS_PER_HOUR); i++) {
      this.slot = (this.slot + 1) % SLOTS_PER_HOUR;
      for (const history of this.histories.values()) history.slots[this.slot] = 0;
    }
    for (const [name, total] of totals) this.sample(name, total, slots);
    this.nextSampleMs = now + SAMPLE_MS;
  }

  nextWake(): number {
    return this.nextSampleMs;
  }

  /** What `coverage/show` prints. */
  show(): string {
    const totals = [...this.totals()].sort(([a], [b]) => (a < b ? -1 : 1));
    const seen = totals.filter(([, total]) => total > 0);
    const rows = seen.map(([name, total]) => {
      const perSecond = (this.sum(name, 1) * 1000) / SAMPLE_MS;
      const overMinute = this.sum(name, SLOTS_PER_MINUTE) / 60;
      const overHour = this.sum(name, SLOTS_PER_HOUR) / 3600;
      return (
        `${name.padEnd(24)} ${perSecond.toFixed(1).padStart(5)}/sec ` +
        `${overMinute.toFixed(3).padStart(9)}/sec ` +
        `${overHour.toFixed(4).padStart(13)}/sec   total: ${total}\n`
      );
    });
    const hash = hashNames(seen).toString(16).padStart(8, '0');
    return (
      `Event coverage, avg rate over last: ${SAMPLE_MS / 1000} seconds, ` +
      `last minute, last hour,  hash=${hash}:\n` +
      `${rows.join('')}${totals.length - seen.length} events never hit\n`
    );
  }

  totals(): Map<string, number> {
    const totals = new Map<string, number>();
    for (const source of this.sources) {
      for (const [name, total] of source()) totals.set(name, (totals.get(name) ?? 0) + total);
    }
    return totals;
  }

  private sample(name: string, total: number, slots: number): void {
    let history = this.histories.get(name);
    if (!history) {
      if (this.histories.size >= COUNTERS_MAX) return;
      history = { lastTotal: 0, slots: new Float64Array(SLOTS_PER_HOUR) };
      this.histories.set(name, history);
    }
    // A late sample spreads what was counted over the slots that it stands for.
    const counted = total - history.lastTotal;
    const portion = Math.floor(counted / slots);
    history.lastTotal = total;
    for (let i = 0; i < Math.min(slots, SLOTS_PER_HOUR); i++) {
      const index = (this.slot - i + SLOTS_PER_HOUR) % SLOTS_PER_HOUR;
      history.slots[index] = i === 0 ? counted - portion * (slots - 1) : portion;
    }
  }

  private sum(name: string, slots: number): number {
    const history = this.histories.get(name);
    if (!history) return 0;
    let sum = 0;
    for (let i = 0; i < slots; i++) {
      sum += history.slots[(this.slot - i + SLOTS_PER_HOUR) % SLOTS_PER_HOUR];
    }
    return sum;
  }
}

/** Adds `coverage/show` and `coverage/read-counter` to `server`. */
export function registerCoverageCommands(server: UnixctlServer, coverage: Coverage): void {
  server.register('coverage/show', '', 0, 0, () => coverage.show());
  server.register('coverage/read-counter', 'COUNTER', 1, 1, (_command, [name]) => {
    const total = coverage.totals().get(name);
    if (total === undefined) throw new UnixctlError('No such counter');
    return `${total}\n`;
  });
}

/** FNV-1a over the names of events that happened: equal hashes, alike behaviour. */
function hashNames(rows: [string, number][]): number {
  let hash = 0x811c9dc5;
  for (const [name] of rows) {
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193) >>> 0;
    }
  }
  return hash >>> 0;
}
