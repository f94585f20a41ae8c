/**
 * How many flow-mods a connection sent, told in the log ten seconds after the first or at its end.
 */
import { type Clock, NEVER } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import type { FlowMod } from '../../openflow/messages.js';

const log = getLogger('connmgr');

const FIRST_MS = 10_000;
const AGAIN_MS = 60_000;

interface Counts {
  adds: number;
  deletes: number;
  modifications: number;
}

const NONE: Counts = { adds: 0, deletes: 0, modifications: 0 };

export class FlowModReport {
  private counts = { ...NONE };
  private firstMs = 0;
  private lastMs = 0;
  private dueMs = NEVER;
  private notBeforeMs = 0;

  /** @param name the connection's in the log */
  constructor(
    private readonly name: string,
    private readonly clock: Clock,
  ) {}

  /**
   * @param now clock time, where it is known to the turn
   * @returns true when that makes it due at some time: nextWake() is another then
   */
  count(command: FlowMod['command'], now = this.clock.now()): boolean {
    if (command === 'add') this.counts.adds++;
    else if (command.startsWith('modify')) this.counts.modifications++;
    else this.counts.deletes++;
    const first = this.dueMs === NEVER;
    if (first) {
      this.firstMs = now;
      this.dueMs = Math.max(now + FIRST_MS, this.notBeforeMs);
      this.notBeforeMs = this.dueMs + AGAIN_MS;
    }
    this.lastMs = now;
    return first;
  }

  /** What has been counted, to go back to when it turns out not to have happened. */
  save(): () => void {
    const before = { ...this.counts };
    return () => {
      this.counts = before;
    };
  }

  run(now: number): void {
    if (now >= this.dueMs) this.log();
  }

  nextWake(): number {
    return this.dueMs;
  }

  log(): void {
    this.dueMs = NEVER;
    const { adds, deletes, modifications } = this.counts;
    const total = adds + deletes + modifications;
    if (total === 0) return;
    const parts = Object.entries({ adds, deletes, modifications });
    const kinds = parts.filter(([, n]) => n > 0).map(([kind, n]) => `${n} ${kind}`);
    log.info(`${this.name}: ${total} flow_mods ${this.when()} (${kinds.join(', ')})`);
    this.counts = { ...NONE };
  }

  private when(): string {
    const ago = Math.floor((this.clock.now() - this.firstMs) / 1000);
    const interval = Math.floor((this.lastMs - this.firstMs) / 1000);
    if (interval === ago) return `in the last ${ago} s`;
    return interval > 0 ? `in the ${interval} s starting ${ago} s ago` : `${ago} s ago`;
  }
}
