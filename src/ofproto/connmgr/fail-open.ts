/**
 * Failing open: a standalone bridge whose controllers are all gone switches by itself, by a hidden
 * entry above everything that a controller can add, until one is back.
 */
import { NEVER } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { matchAny } from '../../openflow/match.js';
import type { Ofproto } from '../ofproto.js';
import { Rule } from '../rule.js';
import type { Controller } from './controller.js';

const log = getLogger('connmgr');

const PRIORITY = 0xf0f0f0;
const PROBE_DEFAULT_MS = 5000;
const TO_NORMAL: readonly OfAction[] = [{ type: 'output', port: OFPP.NORMAL, maxLen: 0 }];

/** When all have been lost for three probe intervals: clock time, NEVER while one is connected. */
export function failsOpenAtMs(controllers: readonly Controller[]): number {
  let at = 0;
  for (const { connected, settings, lostAtMs, createdMs } of controllers) {
    if (connected) return NEVER;
    const probeMs = settings.inactivityProbeMs || PROBE_DEFAULT_MS;
    at = Math.max(at, (lostAtMs ?? createdMs) + 3 * probeMs);
  }
  return at;
}

export class FailOpen {
  private rule: Rule | null = null;

  /** @param dueMs clock time from which the bridge is to switch by itself */
  constructor(
    private readonly ofproto: Ofproto,
    private readonly dueMs: () => number,
  ) {}

  get active(): boolean {
    return this.rule !== null;
  }

  run(now: number): void {
    const due = now >= this.dueMs();
    if (due === this.active) return;
    const { name, noPacketInRule, tables } = this.ofproto;
    if (this.rule === null) {
      log.warn(`${name}: could not connect to controller, failing open`);
      const spec = { ...noPacketInRule, priority: PRIORITY, tableId: 0 };
      this.rule = new Rule({ ...spec, match: matchAny(), actions: TO_NORMAL }, now);
      tables[0].cls.insert(this.rule);
    } else {
      log.warn(`${name}: no longer in fail-open mode`);
      tables[0].cls.remove(this.rule);
      this.rule = null;
    }
    this.ofproto.tablesChanged();
  }

  nextWake(): number {
    return this.active ? NEVER : this.dueMs();
  }
}
