/**
 * Datapath actions: what translation asks the datapath to do with a packet.
 *
 * The vocabulary is Open vSwitch's datapath action set, as objects on the main thread. Workers
 * never see these: they get the compiled form (compile-actions.ts). Text: odp-format.ts.
 */
import type { FlowWords } from '../packet/flow-layout.js';

/** Which header a `set` changes; the text form groups fields by it. */
export type OdpSetAttr =
  | 'eth'
  | 'vlan'
  | 'mpls'
  | 'ipv4'
  | 'ipv6'
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmpv6'
  | 'arp'
  | 'nd'
  | 'skb_priority'
  | 'skb_mark'
  | 'tunnel'
  | 'nsh';

/** Why a packet is sent up. */
export type SlowPathReason =
  | 'cfm'
  | 'bfd'
  | 'lacp'
  | 'stp'
  | 'lldp'
  | 'controller'
  | 'action'
  | 'match';

/** What the main thread should do with a packet that an action sent up. */
export type UserspaceCookie =
  | { type: 'slow_path'; reason: SlowPathReason }
  /** `id` names the saved controller action and state in the OpenFlow layer. */
  | { type: 'controller'; id: number; maxLen: number; dontSend: boolean; reason: number }
  | { type: 'sflow' | 'ipfix' | 'flow_sample'; id: number };

export type OdpAction =
  | { type: 'output'; port: number }
  /** Changes header words where mask is set; `attr` says which header (for the text). */
  | { type: 'set'; attr: OdpSetAttr; value: FlowWords; mask: FlowWords }
  | { type: 'push_vlan'; tpid: number; tci: number }
  | { type: 'pop_vlan' }
  | { type: 'push_mpls'; lse: number; ethType: number }
  | { type: 'pop_mpls'; ethType: number }
  | { type: 'userspace'; cookie: UserspaceCookie }
  /** Cuts the copy that the next output sends to at most `maxLen` bytes. */
  | { type: 'trunc'; maxLen: number }
  /** Runs `actions` on a copy: changes made inside end with it. */
  | { type: 'clone'; actions: OdpAction[] }
  /** With probability / 2^32. */
  | { type: 'sample'; probability: number; actions: OdpAction[] }
  /** Sets dp_hash for a following recirc: 'l4' over the 5-tuple, 'sym_l4' symmetric. */
  | { type: 'hash'; algorithm: 'l4' | 'sym_l4'; basis: number }
  | { type: 'recirc'; id: number }
  | { type: 'meter'; id: number }
  | { type: 'check_pkt_len'; size: number; greater: OdpAction[]; lessEqual: OdpAction[] }
  | { type: 'lb_output'; bond: number }
  /** An explicit drop with a reason to count it by (drop-reasons.ts). */
  | { type: 'drop'; reason: number };
