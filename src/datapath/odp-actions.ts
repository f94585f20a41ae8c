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
export const SLOW_PATH_REASONS = [
  'cfm',
  'bfd',
  'lacp',
  'stp',
  'lldp',
  'controller',
  'action',
  'match',
] as const;
export type SlowPathReason = (typeof SLOW_PATH_REASONS)[number];

/** What the main thread should do with a packet that an action sent up. */
export type UserspaceCookie =
  | { type: 'slow_path'; reason: SlowPathReason }
  /** `id` names the saved controller action and state in the OpenFlow layer. */
  | {
      type: 'controller';
      id: number;
      maxLen: number;
      dontSend: boolean;
      reason: number;
      /** For the text alone: they do not come back with the packet. */
      continuation?: boolean;
      ruleCookie?: bigint;
      controllerId?: number;
    }
  | SampleCookie;

/** In the place of a datapath port's number: there is none. */
export const ODPP_NONE = 0xffffffff;

/** What goes with a sampled packet; `bridge` numbers the bridge whose exporter wants it. */
export type SampleCookie =
  | {
      type: 'sflow';
      bridge: number;
      /** Of the packet as it goes out. */
      vlanTci: number;
      /** sFlow's output: an interface index, or why there is none (sFlow version 5, page 28). */
      output: number;
      /** MPLS labels of the packet as it goes out, the outermost first; at most three. */
      labels: readonly number[];
    }
  /** `outputPort` is ODPP_NONE for a packet that comes in. */
  | { type: 'ipfix'; bridge: number; outputPort: number; dropped: boolean }
  | {
      type: 'flow_sample';
      bridge: number;
      /** Of 65535. */
      probability: number;
      collectorSetId: number;
      obsDomainId: number;
      obsPointId: number;
      outputPort: number;
      direction: 'default' | 'ingress' | 'egress';
      /** No output is among the flow's actions. */
      dropped: boolean;
    };

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
  /** By the port of the bucket that the packet's 'l4' hash leads to, as after hash and recirc. */
  | { type: 'lb_output'; bond: number; basis: number }
  /** An explicit drop with a reason to count it by (drop-reasons.ts). */
  | { type: 'drop'; reason: number };
