/**
 * Flows as text: the lines of dump-flows and the one-line form of flow mods. The reverse is
 * flow-parse.ts.
 */

import { OFPP } from '../actions.js';
import type { FlowMod, FlowStatsEntry } from '../messages.js';
import { formatActions } from './action-format.js';
import { DEFAULT_PRIORITY, formatMatch } from './match-format.js';
import { formatPort, formatTable, type Names, NO_NAMES } from './names.js';

/** `12.345s`: milliseconds where they are exact, nothing after the point when it is zero. */
export function formatDuration(sec: number, nsec: number): string {
  if (nsec === 0) return `${sec}s`;
  const msec = Math.floor(nsec / 1_000_000);
  if (msec * 1_000_000 === nsec) return `${sec}.${String(msec).padStart(3, '0')}s`;
  return `${sec}.${String(nsec).padStart(9, '0').replace(/0+$/, '')}s`;
}

export function formatFlags(flags: FlowMod['flags']): string {
  let text = '';
  if (flags.sendFlowRem) text += 'send_flow_rem ';
  if (flags.checkOverlap) text += 'check_overlap ';
  if (flags.resetCounts) text += 'reset_counts ';
  if (flags.noPktCounts) text += 'no_packet_counts ';
  if (flags.noByteCounts) text += 'no_byte_counts ';
  return text;
}

export const hexCookie = (cookie: bigint): string => `0x${cookie.toString(16)}`;

const ALL_ONES = 0xffffffffffffffffn;

/** A counter of dump-flows; counters that the switch does not know are left out. */
const counter = (name: string, value: bigint): string =>
  value === ALL_ONES ? '' : `${name}=${value}, `;

/** A flow's line in dump-flows, without the leading space. */
export function formatFlowStats(
  e: FlowStatsEntry,
  names: Names = NO_NAMES,
  showStats = true,
): string {
  let text = '';
  if (showStats || e.cookie !== 0n) text += `cookie=${hexCookie(e.cookie)}, `;
  if (showStats) text += `duration=${formatDuration(e.durationSec, e.durationNsec)}, `;
  if (showStats || e.table !== 0 || names.tables?.nameOf(e.table) !== undefined) {
    text += `table=${formatTable(e.table, names.tables)}, `;
  }
  if (showStats) text += counter('n_packets', e.packets) + counter('n_bytes', e.bytes);
  if (e.idleTimeout !== 0) text += `idle_timeout=${e.idleTimeout}, `;
  if (e.hardTimeout !== 0) text += `hard_timeout=${e.hardTimeout}, `;
  text += formatFlags(e.flags);
  if (e.importance !== 0) text += `importance=${e.importance}, `;
  if (showStats && e.idleAge >= 0) text += `idle_age=${e.idleAge}, `;
  if (showStats && e.hardAge >= 0 && e.hardAge !== e.durationSec) {
    text += `hard_age=${e.hardAge}, `;
  }
  const match = formatMatch(e.match, names.ports, e.priority);
  return `${text}${match === '' ? '' : `${match} `}actions=${formatActions(e.actions, names)}`;
}

const COMMANDS: Record<FlowMod['command'], string> = {
  add: 'ADD',
  modify: 'MOD',
  modify_strict: 'MOD_STRICT',
  delete: 'DEL',
  delete_strict: 'DEL_STRICT',
};

/** What follows `OFPT_FLOW_MOD (xid=...):` in the printed form of a flow mod. */
export function formatFlowMod(
  f: FlowMod,
  version: number,
  names: Names = NO_NAMES,
  nxm: string | null = null,
): string {
  let text = ` ${COMMANDS[f.command]}`;
  if (f.table !== 0 || names.tables?.nameOf(f.table) !== undefined) {
    text += ` table:${formatTable(f.table, names.tables)}`;
  }
  const match = nxm ?? formatMatch(f.match, names.ports, f.priority);
  text += match === '' ? ' ' : ` ${match} `;
  const newCookie = f.command === 'add' ? (f.newCookie ?? f.cookie) : f.newCookie;
  // All ones is 'no cookie' on the wire.
  if (newCookie !== null && newCookie !== 0n && newCookie !== ALL_ONES) {
    text += `cookie:${hexCookie(newCookie)} `;
  }
  if (f.cookieMask !== 0n) {
    text += `cookie:${hexCookie(f.cookie)}/${hexCookie(f.cookieMask)} `;
  }
  if (f.idleTimeout !== 0) text += `idle:${f.idleTimeout} `;
  if (f.hardTimeout !== 0) text += `hard:${f.hardTimeout} `;
  if (f.importance !== 0) text += `importance:${f.importance} `;
  // A match in other words does not say it.
  if (nxm !== null && f.priority !== DEFAULT_PRIORITY) text += `pri:${f.priority} `;
  if (f.bufferId !== 0xffffffff) text += `buf:0x${f.bufferId.toString(16)} `;
  if (f.outPort !== OFPP.NONE) text += `out_port:${formatPort(f.outPort, names.ports)} `;
  // Versions before 1.2 have no such flag: adding always resets.
  text += formatFlags(version < 3 ? { ...f.flags, resetCounts: false } : f.flags);
  return `${text}actions=${formatActions(f.actions, names)}`;
}
