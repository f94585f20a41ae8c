/**
 * Reading a flow in the datapath syntax, as ofproto/trace takes it:
 * `in_port(1),eth(src=...,dst=...),eth_type(0x0800),ipv4(src=10.0.0.1,...),udp(src=1,dst=2)`.
 *
 * A trace is about one packet: masks do not matter to it. dpctl's flows have them. Not for printing
 * (odp-format.ts).
 */
import { TapswitchError } from '../../common/errors.js';
import { type Match, matchAny } from '../../openflow/match.js';
import { matchFieldText } from '../../openflow/syntax/match-parse.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_MPLS,
  ETH_TYPE_NOT_ETHERNET,
  type FlowWords,
  VLAN_CFI,
  W_DL_TYPE,
  W_DP_HASH,
  W_IN_PORT,
  W_MPLS,
  W_NW,
  W_PKT_MARK,
  W_RECIRC_ID,
  W_SKB_PRIORITY,
  W_TCP_FLAGS,
  W_TP,
  W_VLAN0,
} from '../../packet/flow-layout.js';
import { commandError } from './command.js';

/** Attributes whose parts are fields of the OpenFlow registry, by name there. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  eth: { src: 'eth_src', dst: 'eth_dst' },
  ipv4: { src: 'ip_src', dst: 'ip_dst', proto: 'nw_proto' },
  ipv6: { src: 'ipv6_src', dst: 'ipv6_dst', label: 'ipv6_label', proto: 'nw_proto' },
  arp: { sip: 'arp_spa', tip: 'arp_tpa', op: 'arp_op', sha: 'arp_sha', tha: 'arp_tha' },
  nd: { target: 'nd_target', sll: 'nd_sll', tll: 'nd_tll' },
  nsh: {
    ...{ flags: 'nsh_flags', ttl: 'nsh_ttl', mdtype: 'nsh_mdtype', np: 'nsh_np' },
    ...{ spi: 'nsh_spi', si: 'nsh_si', c1: 'nsh_c1', c2: 'nsh_c2', c3: 'nsh_c3', c4: 'nsh_c4' },
  },
};
/** Attributes with parts that are plain numbers: word, shift, bits. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, [number, number, number]>>>> = {
  ipv4: { tos: [W_NW, 16, 0xff], ttl: [W_NW, 8, 0xff] },
  ipv6: { tclass: [W_NW, 16, 0xff], hlimit: [W_NW, 8, 0xff] },
  tcp: { src: [W_TP, 16, 0xffff], dst: [W_TP, 0, 0xffff] },
  udp: { src: [W_TP, 16, 0xffff], dst: [W_TP, 0, 0xffff] },
  sctp: { src: [W_TP, 16, 0xffff], dst: [W_TP, 0, 0xffff] },
  icmp: { type: [W_TP, 16, 0xff], code: [W_TP, 0, 0xff] },
  icmpv6: { type: [W_TP, 16, 0xff], code: [W_TP, 0, 0xff] },
};
/** Attributes that are one number: word, shift, bits. */
const SINGLE: Readonly<Record<string, [number, number, number]>> = {
  recirc_id: [W_RECIRC_ID, 0, 0xffffffff],
  skb_priority: [W_SKB_PRIORITY, 0, 0xffffffff],
  skb_mark: [W_PKT_MARK, 0, 0xffffffff],
  dp_hash: [W_DP_HASH, 0, 0xffffffff],
};
const IGNORED: ReadonlySet<string> = new Set([
  ...['packet_type', 'ct_state', 'ct_zone', 'ct_mark', 'ct_label', 'ct_tuple4', 'ct_tuple6'],
]);
/** Ethernet types that attributes stand for where a flow has none, in this order. */
const TYPES: Readonly<Record<string, number>> = {
  ipv4: ETH_TYPE_IP,
  ipv6: ETH_TYPE_IPV6,
  mpls: ETH_TYPE_MPLS,
};
const FRAG: Readonly<Record<string, number>> = { no: 0, first: 1, later: 3 };

const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr', 'ns'];

/** True when the text looks like a datapath flow rather than an OpenFlow one. */
export function looksLikeOdpFlow(text: string): boolean {
  return /^\s*(ufid:[-0-9a-f]+[,\s]*)?[a-z0-9_]+\(/.test(text);
}

/**
 * The flow, with the datapath port in W_IN_PORT.
 * @param portNo the number of a port given by name
 * @throws TapswitchError
 */
export function parseOdpFlow(text: string, portNo: (name: string) => number | null): FlowWords {
  const parser = new OdpFlowParser(portNo);
  parser.list(text, 0);
  return parser.finish();
}

/**
 * A flow with its masks: what the text does not name is wildcarded, but for recirc_id.
 * @throws TapswitchError
 */
export function parseOdpMatch(text: string, portNo: (name: string) => number | null): Match {
  const parser = new OdpFlowParser(portNo, true);
  parser.list(text, 0);
  parser.match.mask[W_RECIRC_ID] = -1;
  return parser.match;
}

/** The body of set(ATTR(...)). @throws TapswitchError */
export function parseOdpAttribute(name: string, body: string): Match {
  const parser = new OdpFlowParser(() => null);
  parser.attribute(name, body, 0);
  return parser.match;
}

class OdpFlowParser {
  readonly match = matchAny();
  private tags = 0;
  private labels = 0;
  private hasType = false;
  private readonly seen = new Set<string>();

  /** @param terse an error says where the bad attribute begins, and no more */
  constructor(
    private readonly portNo: (name: string) => number | null,
    private readonly terse = false,
  ) {}

  list(text: string, depth: number): void {
    if (depth > 3) commandError(`${text}: nested too deep`);
    // Dumps begin with the flow's own number.
    let rest = text.trim().replace(/^ufid:[-0-9a-f]+[,\s]*/, '');
    while (rest !== '') {
      const head = /^([a-z0-9_]+)\(/.exec(rest) ?? commandError(`syntax error at ${rest}`);
      const end = closing(rest, head[0].length);
      this.listed(head[1], rest, rest.slice(head[0].length, end), depth);
      rest = rest.slice(end + 1).replace(/^[,\s]+/, '');
    }
  }

  private listed(name: string, rest: string, body: string, depth: number): void {
    try {
      this.attribute(name, body, depth);
    } catch (error) {
      if (!this.terse || depth > 0 || !(error instanceof TapswitchError)) throw error;
      commandError(`syntax error at ${rest}`);
    }
  }

  /** A frame without an Ethernet type, nor what tells it, has a length in its place. */
  finish(): FlowWords {
    if (!this.hasType) {
      const told = Object.keys(TYPES).find((name) => this.seen.has(name));
      this.put([W_DL_TYPE, 16, 0xffff], told === undefined ? ETH_TYPE_NOT_ETHERNET : TYPES[told]);
    }
    return this.match.flow;
  }

  attribute(name: string, body: string, depth: number): void {
    if (IGNORED.has(name)) return;
    this.seen.add(name);
    if (name === 'encap') this.list(body, depth + 1);
    else if (name === 'in_port') this.inPort(body);
    else if (name === 'eth_type') this.ethType(number(body));
    else if (name === 'vlan') this.vlan(body);
    else if (name === 'mpls') this.mpls(body);
    else if (name === 'tcp_flags') this.tcpFlags(body);
    else if (name in SINGLE) this.put(SINGLE[name], number(body), maskOf(body));
    else if (name in FIELDS || name in NUMBERS) this.parts(name, body);
    else commandError(`syntax error at ${name}(${body})`);
  }

  private inPort(body: string): void {
    const port = /^\d+/.test(body) ? number(body) : this.portNo(body);
    this.match.flow[W_IN_PORT] = port ?? commandError(`${body}: no such port`);
    this.match.mask[W_IN_PORT] = -1;
  }

  /** An Ethernet type in front of a tag is the tag's own. */
  private ethType(type: number): void {
    if (type === 0x8100 || type === 0x88a8) {
      const word = W_VLAN0 + Math.min(this.tags, 1);
      this.match.flow[word] = (type << 16) | VLAN_CFI;
      this.match.mask[word] |= 0xffff0000 | VLAN_CFI;
    } else {
      this.put([W_DL_TYPE, 16, 0xffff], type);
      this.hasType = true;
    }
  }

  private vlan(body: string): void {
    const word = W_VLAN0 + Math.min(this.tags, 1);
    let tci = VLAN_CFI;
    for (const [key, value] of pairs(body)) {
      const shift = key === 'pcp' ? 13 : 0;
      const bits = key === 'pcp' ? 7 : key === 'vid' ? 0xfff : 0;
      tci |= (number(value) & bits) << shift;
      this.match.mask[word] |= (maskOf(value) & bits) << shift;
    }
    const tpid = this.match.flow[word] >>> 16 || 0x8100;
    this.match.flow[word] = (tpid << 16) | tci;
    this.tags += 1;
  }

  /** Label stack entries, from the outside: each begins with its label. */
  private mpls(body: string): void {
    const places: Record<string, [number, number]> = {
      label: [12, 0xfffff],
      tc: [9, 7],
      bos: [8, 1],
      ttl: [0, 0xff],
    };
    for (const [key, value] of pairs(body)) {
      if (key === 'label') this.labels += 1;
      const lse = /^lse([0-2])$/.exec(key);
      const word = W_MPLS + Math.min(Math.max(this.labels, 1), 3) - 1;
      if (lse) this.match.flow[W_MPLS + Number(lse[1])] = number(value) | 0;
      else if (key in places) this.put([word, ...places[key]], number(value), maskOf(value));
      else commandError(`syntax error at ${key}=${value}`);
    }
  }

  /** A number, or names with '|' between them. */
  private tcpFlags(body: string): void {
    let bits = 0;
    for (const word of body.replace(/\/.*/, '').split(/[|+]/)) {
      const at = TCP_FLAGS.indexOf(word.trim());
      bits |= at >= 0 ? 1 << at : number(word);
    }
    this.put([W_TCP_FLAGS, 16, 0xffff], bits, 0xfff);
  }

  private parts(name: string, body: string): void {
    for (const [key, value] of pairs(body)) {
      const plain = value.replace(/\/.*/, '');
      const field = FIELDS[name]?.[key];
      const place = NUMBERS[name]?.[key];
      if (field !== undefined) matchFieldText(this.match, field, value, null);
      else if (place !== undefined) this.put(place, number(plain), maskOf(value));
      else if (key === 'frag') this.put([W_DL_TYPE, 8, 0x3], FRAG[plain] ?? 0);
      else commandError(`syntax error at ${key}=${value}`);
    }
  }

  private put([word, shift, bits]: [number, number, number], value: number, mask = -1): void {
    const { flow, mask: masks } = this.match;
    flow[word] = (flow[word] & ~(bits << shift)) | ((value & bits) << shift);
    masks[word] |= (mask & bits) << shift;
  }
}

function closing(text: string, from: number): number {
  let level = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '(') level += 1;
    else if (text[i] === ')') level -= 1;
    if (level === 0) return i;
  }
  return commandError(`syntax error at ${text}`);
}

function* pairs(body: string): Generator<[string, string]> {
  for (const part of body.split(',')) {
    const at = part.indexOf('=');
    if (at > 0) yield [part.slice(0, at).trim(), part.slice(at + 1).trim()];
  }
}

/** The mask behind a number; all bits when there is none. */
function maskOf(text: string): number {
  const mask = /\/(.*)$/.exec(text)?.[1];
  return mask === undefined ? -1 : number(mask);
}

function number(text: string): number {
  const plain = text.replace(/\/.*/, '').trim();
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(plain)) commandError(`${text}: not a number`);
  return Number(plain);
}
