/**
 * What OpenFlow's actions are called in the log, and between which lengths they may be.
 *
 * Not for: their names in flows (syntax/), or reading them (actions-*.ts).
 */
import type { ActionRow } from './action-context.js';

const OF10 = [
  ...['OUTPUT', 'SET_VLAN_VID', 'SET_VLAN_PCP', 'STRIP_VLAN', 'SET_DL_SRC', 'SET_DL_DST'],
  ...['SET_NW_SRC', 'SET_NW_DST', 'SET_NW_TOS', 'SET_TP_SRC', 'SET_TP_DST', 'ENQUEUE'],
];
/** Since 1.1, by number; 11 and 12 copy TTLs, 26 and 27 are of PBB, which nobody here has. */
const OF11: readonly (string | null)[] = [
  ...['OUTPUT', 'SET_VLAN_VID', 'SET_VLAN_PCP', 'SET_DL_SRC', 'SET_DL_DST', 'SET_NW_SRC'],
  ...['SET_NW_DST', 'SET_NW_TOS', 'SET_NW_ECN', 'SET_TP_SRC', 'SET_TP_DST', null, null],
  ...['SET_MPLS_LABEL', 'SET_MPLS_TC', 'SET_MPLS_TTL', 'DEC_MPLS_TTL', 'PUSH_VLAN', 'POP_VLAN'],
  ...['PUSH_MPLS', 'POP_MPLS', 'SET_QUEUE', 'GROUP', 'SET_NW_TTL', 'DEC_NW_TTL', 'SET_FIELD'],
  ...[null, null, 'COPY_FIELD', 'METER'],
];
const NICIRA: Readonly<Record<number, string>> = {
  ...{ 1: 'RESUBMIT', 2: 'SET_TUNNEL', 4: 'SET_QUEUE', 5: 'POP_QUEUE', 6: 'REG_MOVE' },
  ...{ 7: 'REG_LOAD', 8: 'NOTE', 9: 'SET_TUNNEL64', 10: 'MULTIPATH', 12: 'BUNDLE' },
  ...{ 13: 'BUNDLE_LOAD', 14: 'RESUBMIT_TABLE', 15: 'OUTPUT_REG', 16: 'LEARN', 17: 'EXIT' },
  ...{ 18: 'DEC_TTL', 19: 'FIN_TIMEOUT', 20: 'CONTROLLER', 21: 'DEC_TTL_CNT_IDS' },
  ...{ 22: 'WRITE_METADATA', 23: 'PUSH_MPLS', 24: 'POP_MPLS', 25: 'SET_MPLS_TTL' },
  ...{ 26: 'DEC_MPLS_TTL', 27: 'STACK_PUSH', 28: 'STACK_POP', 29: 'SAMPLE' },
  ...{ 30: 'SET_MPLS_LABEL', 31: 'SET_MPLS_TC', 32: 'OUTPUT_REG2', 33: 'REG_LOAD2' },
  ...{ 34: 'CONJUNCTION', 35: 'CT', 36: 'NAT', 37: 'CONTROLLER2', 38: 'SAMPLE2' },
  ...{ 39: 'OUTPUT_TRUNC', 41: 'SAMPLE3', 42: 'CLONE', 43: 'CT_CLEAR' },
  ...{ 44: 'RESUBMIT_TABLE_CT', 45: 'LEARN2', 46: 'ENCAP', 47: 'DECAP', 48: 'DEC_NSH_TTL' },
  ...{ 49: 'CHECK_PKT_LARGER', 50: 'DELETE_FIELD', 254: 'DEBUG_SLOW', 255: 'DEBUG_RECIRC' },
};
/** The longest that a length of 16 bits can say in units of 8. */
const LENGTH_MAX = 65_528;

/** 'OFPAT_OUTPUT', 'NXAST_NOTE'... */
function actionName({ kind, number }: ActionRow, version: number): string {
  if (kind === 'onf') return 'ONFACT_COPY_FIELD';
  if (kind === 'nx') return `NXAST_${NICIRA[number] ?? number}`;
  return `OFPAT_${(version === 1 ? OF10 : OF11)[number] ?? number}`;
}

/**
 * What is wrong with an action's length, or null.
 * @param left bytes there are
 */
export function lengthProblem(
  row: ActionRow,
  version: number,
  length: number,
  left: number,
): string | null {
  const name = (): string => `OpenFlow action ${actionName(row, version)} length ${length}`;
  if (length > left) return `${name()} exceeds action buffer length ${left}`;
  const longest = row.open === true ? LENGTH_MAX : row.length;
  if (length < row.length || length > longest) {
    return `${name()} not in valid range [${row.length},${longest}]`;
  }
  return length % 8 === 0 ? null : `${name()} is not a multiple of 8`;
}
