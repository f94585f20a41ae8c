/**
 * How flows, matches, rules and actions are written in traces and logs: the OpenFlow flow syntax of
 * src/openflow/syntax, put together for this layer's needs.
 */
import type { OfAction, SubField } from '../openflow/actions.js';
import { type Match, matchAny } from '../openflow/match.js';
import { formatAction, formatActions, formatSubfield } from '../openflow/syntax/action-format.js';
import { formatMatch } from '../openflow/syntax/match-format.js';
import { type NameMap, NO_NAMES, nameMap, portNames } from '../openflow/syntax/names.js';
import { fieldGet, mustField } from '../packet/fields.js';
import { bytesToBigint, subfieldOfValue } from '../packet/fields-subfield.js';
import { formatFieldText } from '../packet/fields-text.js';
import * as L from '../packet/flow-layout.js';
import { dlType, isIp, nwFrag, nwProto } from './flow-access.js';
import type { Rule } from './rule.js';

interface NamedPorts {
  ports(): { ofPort: number; name: string }[];
}

/** Entries that no table has. */
type OwnRules = Record<'missRule' | 'noPacketInRule' | 'dropFragmentsRule', Rule>;

export function formatActionText(action: OfAction, ports: NameMap | null = null): string {
  return formatAction(action, { ...NO_NAMES, ports });
}

export function formatActionsText(actions: readonly OfAction[]): string {
  return formatActions(actions);
}

/** A bridge's port names, for text with --names. */
export function namesOf(ofproto: NamedPorts): NameMap {
  return nameMap(ofproto.ports().map((port) => [port.ofPort, port.name]));
}

const ONES = -1;
const IGMP = 2;

/** Words of metadata that are shown only when they are not zero. */
const IF_SET: readonly number[] = [
  L.W_IN_PORT,
  L.W_RECIRC_ID,
  L.W_SKB_PRIORITY,
  L.W_PKT_MARK,
  L.W_DP_HASH,
  L.W_CT_STATE,
  L.W_CT_MARK,
  ...Array.from({ length: 4 }, (_, i) => L.W_CT_LABEL + i),
  ...Array.from({ length: L.N_REGS }, (_, i) => L.W_REG0 + i),
];

function fill(mask: L.FlowWords, from: number, n: number): void {
  mask.fill(ONES, from, from + n);
}

/** A match on everything that a packet with this flow has. */
function flowMatch(flow: L.FlowWords): Match {
  const match = matchAny();
  const { mask } = match;
  for (const word of IF_SET) if (flow[word] !== 0) mask[word] = ONES;
  for (const word of [L.W_METADATA, L.W_TUN_ID]) {
    if ((flow[word] | flow[word + 1]) !== 0) fill(mask, word, 2);
  }
  fill(mask, L.W_DL_DST, 3);
  mask[L.W_PACKET_TYPE] = ONES;
  mask[L.W_DL_TYPE] = 0xffff0000 | 0;
  // The first absent tag is shown too: it says that there is none.
  mask[L.W_VLAN0] = ONES;
  if ((flow[L.W_VLAN0] & L.VLAN_CFI) !== 0) mask[L.W_VLAN1] = ONES;
  maskNetwork(flow, mask);
  for (let i = 0; i < flow.length; i++) match.flow[i] = flow[i] & mask[i];
  return match;
}

function maskNetwork(flow: L.FlowWords, mask: L.FlowWords): void {
  const type = dlType(flow);
  if (type === L.ETH_TYPE_ARP || type === L.ETH_TYPE_RARP) {
    fill(mask, L.W_NW_SRC, 2);
    mask[L.W_NW] = 0xff000000 | 0;
    fill(mask, L.W_ARP_SHA, 3);
  } else if (type === L.ETH_TYPE_MPLS || type === L.ETH_TYPE_MPLS_MCAST) {
    for (let i = 0; i < 3; i++) {
      mask[L.W_MPLS + i] = ONES;
      if ((flow[L.W_MPLS + i] & 0x100) !== 0) break;
    }
  } else if (type === L.ETH_TYPE_NSH) {
    // Open vSwitch shows the IP fields, all 0, as well.
    fill(mask, L.W_NSH, 6);
    mask[L.W_NW] = 0xffffff00 | 0;
    mask[L.W_DL_TYPE] |= 0x300;
  }
  if (!isIp(flow)) return;
  if (type === L.ETH_TYPE_IP) fill(mask, L.W_NW_SRC, 2);
  else {
    fill(mask, L.W_IPV6_SRC, 8);
    mask[L.W_IPV6_LABEL] = ONES;
    const icmpType = flow[L.W_TP] >>> 16;
    if (nwProto(flow) === 58 && (icmpType === 135 || icmpType === 136)) {
      fill(mask, L.W_ND_TARGET, 4);
      fill(mask, L.W_ARP_SHA, 3);
    }
  }
  mask[L.W_NW] = 0xffffff00 | 0;
  mask[L.W_DL_TYPE] |= 0x300;
  if ((nwFrag(flow) & L.NW_FRAG_LATER) !== 0) return;
  const proto = nwProto(flow);
  if ([1, IGMP, 6, 17, 58, 132].includes(proto)) mask[L.W_TP] = ONES;
  if (proto === 6) mask[L.W_TCP_FLAGS] = 0xffff0000 | 0;
  if (proto === IGMP) mask[L.W_IGMP] = ONES;
}

/** A whole flow, as the first line of a trace has it. */
export function formatFlowText(flow: L.FlowWords, names: NameMap | null = null): string {
  return formatMatch(flowMatch(flow), names);
}

/** What of a flow was consulted, as the Megaflow line of a trace has it. */
export function formatMegaflow(
  flow: L.FlowWords,
  mask: L.FlowWords,
  names: NameMap | null = null,
): string {
  return formatMatch({ flow: flow.map((word, i) => word & mask[i]), mask }, names);
}

/** 'in_port=1,dl_vlan=10, priority 100, cookie 0x5' */
export function formatRuleTitle(rule: Rule, ofproto: OwnRules, names: NameMap | null): string {
  if (rule === ofproto.missRule) return 'No match, and a "packet-in" is called for.';
  if (rule === ofproto.noPacketInRule) return 'No match.';
  if (rule === ofproto.dropFragmentsRule) {
    return 'Packets are IP fragments and the fragment handling mode is "drop".';
  }
  const match = formatMatch(rule.match, names);
  const cookie = rule.cookie === 0n ? '' : `, cookie 0x${rule.cookie.toString(16)}`;
  return `${match === '' ? '' : `${match}, `}priority ${rule.priority}${cookie}`;
}

/** 'NXM_NX_REG0[] is now 0x5' */
export function formatSubfieldNow(sub: SubField, flow: L.FlowWords): string {
  const field = mustField(sub.field);
  const value = fieldGet(flow, field);
  const whole = sub.ofs === 0 && sub.nBits >= field.nBits;
  const text = whole
    ? formatFieldText(field, value, undefined, portNames(null))
    : `0x${bytesToBigint(subfieldOfValue(value, sub.ofs, sub.nBits)).toString(16)}`;
  return `${formatSubfield(sub)} is now ${text}`;
}
