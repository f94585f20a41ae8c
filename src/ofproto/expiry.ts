/**
 * Flow entries whose time is over: idle and hard timeouts of all tables of a bridge.
 */
import { NEVER } from '../common/clock.js';
import { deleteRules } from './flow-mod.js';
import type { Ofproto } from './ofproto.js';
import type { Rule } from './rule.js';

/** Looking ten times a second is enough for timeouts that are whole seconds. */
const LOOK_AGAIN_MS = 100;

/**
 * Deletes what has expired, after the datapath's statistics were taken in.
 * @returns when the next entry can expire at the earliest, or NEVER
 */
export function expireRules(ofproto: Ofproto, now: number): number {
  ofproto.backer.pushStats();
  let nextMs = NEVER;
  for (const table of ofproto.tables) {
    if (table.cls.size === 0) continue;
    const over = { idle: [] as Rule[], hard: [] as Rule[] };
    for (const rule of table.cls.rules()) {
      const reason = rule.expired(now);
      if (reason !== null) over[reason].push(rule);
      else nextMs = Math.min(nextMs, rule.expiresMs());
    }
    deleteRules(ofproto, over.idle, 'idle');
    deleteRules(ofproto, over.hard, 'hard');
  }
  return nextMs === NEVER ? NEVER : Math.max(nextMs, now + LOOK_AGAIN_MS);
}
