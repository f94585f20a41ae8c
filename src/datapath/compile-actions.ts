/**
 * Compiles datapath actions to an action program (action-program.ts).
 *
 * Done once per flow on the main thread. Besides encoding, it decides where a frame must be copied:
 * outputs are deferred to the end of the batch, so a frame that was output (or that an outer action
 * list still needs) must not be changed in place any more. The first change after that gets an
 * OP_COPY before it.
 *
 *     output:1, push_vlan, output:2, pop_vlan, output:1
 *             ^ copy here           ^ and here
 *
 * Not for: executing (execute-actions.ts), text (odp-format.ts).
 */
import { TapswitchError } from '../common/errors.js';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from '../packet/extract.js';
import {
  W_ARP_SHA,
  W_DL_DST,
  W_IPV6_DST,
  W_IPV6_LABEL,
  W_IPV6_SRC,
  W_MPLS,
  W_ND_TARGET,
  W_NW,
  W_NW_DST,
  W_NW_SRC,
  W_PKT_MARK,
  W_SKB_PRIORITY,
  W_TP,
  W_VLAN0,
} from '../packet/flow-layout.js';
import * as op from './action-program.js';
import { bondSlot } from './bond-buckets.js';
import { DropReason } from './drop-reasons.js';
import type { OdpAction, OdpSetAttr } from './odp-actions.js';
import { encodeCookie } from './userspace-cookie.js';

/** Flow words behind each header set, in operand order. */
const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
const HEADER_SETS: Partial<Record<OdpSetAttr, { code: number; words: number[] }>> = {
  eth: { code: op.OP_SET_ETH, words: range(W_DL_DST, op.SET_ETH_WORDS) },
  vlan: { code: op.OP_SET_VLAN, words: [W_VLAN0] },
  mpls: { code: op.OP_SET_MPLS, words: [W_MPLS] },
  ipv4: { code: op.OP_SET_IPV4, words: [W_NW, W_NW_SRC, W_NW_DST] },
  ipv6: {
    code: op.OP_SET_IPV6,
    words: [W_NW, W_IPV6_LABEL, ...range(W_IPV6_SRC, 4), ...range(W_IPV6_DST, 4)],
  },
  arp: { code: op.OP_SET_ARP, words: [W_NW, W_NW_SRC, W_NW_DST, ...range(W_ARP_SHA, 3)] },
  nd: { code: op.OP_SET_ND, words: [...range(W_ND_TARGET, 4), ...range(W_ARP_SHA, 3)] },
};
const PORT_SETS: Partial<Record<OdpSetAttr, number>> = {
  tcp: IPPROTO_TCP,
  udp: IPPROTO_UDP,
  sctp: IPPROTO_SCTP,
  icmp: IPPROTO_ICMP,
  icmpv6: IPPROTO_ICMPV6,
};
const META_SETS: Partial<Record<OdpSetAttr, number>> = {
  skb_priority: W_SKB_PRIORITY,
  skb_mark: W_PKT_MARK,
};

/**
 * Compiles an action list. An empty one becomes a counted drop.
 * @throws TapswitchError E_DP_ACTION_UNSUPPORTED for an action that workers cannot do,
 *   E_DP_ACTIONS_TOO_LONG when the program would exceed MAX_PROGRAM_WORDS
 */
export function compileActions(actions: readonly OdpAction[]): op.ActionProgram {
  const out: number[] = [];
  if (actions.length === 0) out.push(op.OP_DROP, DropReason.pipeline);
  new Compiler(out).list(actions, false, 0);
  out.push(op.OP_END);
  if (out.length > op.MAX_PROGRAM_WORDS) {
    throw new TapswitchError(
      'E_DP_ACTIONS_TOO_LONG',
      `datapath actions take ${out.length} words, more than ${op.MAX_PROGRAM_WORDS}`,
    );
  }
  return Int32Array.from(out);
}

function unsupported(what: string): TapswitchError {
  return new TapswitchError(
    'E_DP_ACTION_UNSUPPORTED',
    `the datapath does not support the action '${what}'`,
  );
}

/** Whether executing an action can leave a reference to the frame in a port's row. */
function mayOutput(action: OdpAction): boolean {
  switch (action.type) {
    case 'output':
    case 'recirc':
    case 'lb_output':
      return true;
    case 'clone':
    case 'sample':
      return action.actions.some(mayOutput);
    case 'check_pkt_len':
      return action.greater.some(mayOutput) || action.lessEqual.some(mayOutput);
    default:
      return false;
  }
}

class Compiler {
  constructor(private readonly out: number[]) {}

  /**
   * Compiles one list.
   * @param shared whether somebody else still refers to the frame when the list starts
   * @returns whether the frame is shared after it
   */
  list(actions: readonly OdpAction[], shared: boolean, depth: number): boolean {
    if (depth > op.MAX_DEPTH) throw unsupported(`clone nested more than ${op.MAX_DEPTH} deep`);
    for (let i = 0; i < actions.length; i++) {
      shared = this.action(actions[i], shared, i === actions.length - 1, depth);
    }
    return shared;
  }

  private action(action: OdpAction, shared: boolean, last: boolean, depth: number): boolean {
    const out = this.out;
    switch (action.type) {
      case 'output':
        out.push(op.OP_OUTPUT, action.port);
        return true;
      case 'push_vlan':
        this.ours(shared);
        out.push(op.OP_PUSH_VLAN, (action.tpid << 16) | (action.tci & 0xefff));
        return false;
      case 'pop_vlan':
        this.ours(shared);
        out.push(op.OP_POP_VLAN);
        return false;
      case 'set':
        return this.set(action, shared);
      case 'userspace':
        out.push(op.OP_USERSPACE);
        encodeCookie(action.cookie, out);
        return shared;
      case 'trunc':
        out.push(op.OP_TRUNC, action.maxLen);
        return shared;
      case 'clone':
        out.push(op.OP_CLONE);
        return this.body(action.actions, shared, last, depth);
      case 'sample':
        out.push(op.OP_SAMPLE, action.probability | 0, 0);
        return this.body(action.actions, shared, last, depth);
      case 'check_pkt_len': {
        out.push(op.OP_CHECK_LEN, action.size);
        const first = this.body(action.greater, shared, last, depth);
        return this.body(action.lessEqual, shared, last, depth) || first;
      }
      case 'hash':
        out.push(op.OP_HASH, action.algorithm === 'l4' ? 0 : 1, action.basis | 0);
        return shared;
      case 'recirc':
        if (!last) {
          out.push(op.OP_CLONE);
          return this.body([action], shared, false, depth);
        }
        // What the next flow will do is not known here: it must find a frame of its own.
        this.ours(shared);
        out.push(op.OP_RECIRC, action.id);
        return true;
      case 'drop':
        out.push(op.OP_DROP, action.reason);
        return shared;
      case 'push_mpls':
        this.ours(shared);
        out.push(op.OP_PUSH_MPLS, action.lse | 0, action.ethType);
        return false;
      case 'pop_mpls':
        this.ours(shared);
        out.push(op.OP_POP_MPLS, action.ethType);
        return false;
      case 'meter':
        // A band may change the packet.
        this.ours(shared);
        out.push(op.OP_METER, action.id);
        return false;
      case 'lb_output':
        out.push(op.OP_LB_OUTPUT, bondSlot(action.bond), action.basis | 0);
        return true;
      default:
        throw unsupported((action as { type: string }).type);
    }
  }

  /** A nested list: its length, its words, OP_END. */
  private body(
    actions: readonly OdpAction[],
    shared: boolean,
    last: boolean,
    depth: number,
  ): boolean {
    const lengthAt = this.out.length;
    this.out.push(0);
    const after = this.list(actions, shared || !last, depth + 1);
    this.out.push(op.OP_END);
    this.out[lengthAt] = this.out.length - lengthAt - 1;
    // The body may have output the outer frame itself before it made its own copy.
    return shared || after || actions.some(mayOutput);
  }

  /** Emits a copy when somebody else refers to the frame. */
  private ours(shared: boolean): void {
    if (shared) this.out.push(op.OP_COPY);
  }

  private set(action: Extract<OdpAction, { type: 'set' }>, shared: boolean): boolean {
    const { attr, value, mask } = action;
    const metaWord = META_SETS[attr];
    if (metaWord !== undefined) {
      this.out.push(op.OP_SET_META, metaWord, value[metaWord] & mask[metaWord], mask[metaWord]);
      return shared;
    }
    const protocol = PORT_SETS[attr];
    const header = HEADER_SETS[attr];
    if (protocol === undefined && !header) throw unsupported(`set(${attr})`);
    this.ours(shared);
    if (protocol !== undefined) {
      this.out.push(op.OP_SET_PORTS, protocol, value[W_TP] & mask[W_TP], mask[W_TP]);
      return false;
    }
    const { code, words } = header!;
    this.out.push(code);
    for (const word of words) this.out.push(value[word] & mask[word]);
    for (const word of words) this.out.push(mask[word]);
    return false;
  }
}
