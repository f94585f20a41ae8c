/**
 * One element of a match as people write it: a protocol name, a field with value and mask, or a run
 * of bits. Tells as well which flow formats can express it.
 */

import {
  type Field,
  fieldByName,
  fieldGet,
  fieldGetMask,
  fieldSet,
  mustField,
} from '../../packet/fields.js';
import { bitwiseCopy } from '../../packet/fields-subfield.js';
import { formatFieldText, parseFieldText, parseIntBytes } from '../../packet/fields-text.js';
import * as L from '../../packet/flow-layout.js';
import { prefixLength } from '../../packet/ip-text.js';
import type { Match } from '../match.js';
import { P_ANY, P_NONE, P_NXM_OF11_UP, P_NXM_OXM_ANY } from '../protocols.js';
import { addTunOption, TunOptionError } from '../tun-metadata.js';
import { type NameMap, portNames } from './names.js';
import { parseSubfield, syntaxError, withFieldErrors } from './scan.js';

const PROTOCOLS: Record<string, [dlType: number, proto?: number]> = {
  ip: [L.ETH_TYPE_IP],
  ipv4: [L.ETH_TYPE_IP],
  ip4: [L.ETH_TYPE_IP],
  arp: [L.ETH_TYPE_ARP],
  icmp: [L.ETH_TYPE_IP, 1],
  tcp: [L.ETH_TYPE_IP, 6],
  udp: [L.ETH_TYPE_IP, 17],
  sctp: [L.ETH_TYPE_IP, 132],
  ipv6: [L.ETH_TYPE_IPV6],
  ip6: [L.ETH_TYPE_IPV6],
  icmp6: [L.ETH_TYPE_IPV6, 58],
  tcp6: [L.ETH_TYPE_IPV6, 6],
  udp6: [L.ETH_TYPE_IPV6, 17],
  sctp6: [L.ETH_TYPE_IPV6, 132],
  rarp: [L.ETH_TYPE_RARP],
  mpls: [L.ETH_TYPE_MPLS],
  mplsm: [L.ETH_TYPE_MPLS_MCAST],
};

/** Words that stand for a type of packets. */
export const PROTOCOL_NAMES: readonly string[] = Object.keys(PROTOCOLS);

/** Fields whose exact match OpenFlow 1.0's own match has too. */
const IN_OF10 = new Set([
  ...['in_port', 'eth_src', 'eth_dst', 'eth_type', 'vlan_tci', 'dl_vlan', 'vlan_vid'],
  ...['dl_vlan_pcp', 'vlan_pcp', 'ip_src', 'ip_dst', 'nw_proto', 'nw_tos', 'ip_dscp', 'arp_op'],
  ...['arp_spa', 'arp_tpa', 'tcp_src', 'tcp_dst', 'udp_src', 'udp_dst', 'icmp_type', 'icmp_code'],
]);
/** Fields that OpenFlow 1.1 added to the fixed match. */
const IN_OF11 = new Set([
  ...['metadata', 'in_port_oxm', 'mpls_label', 'mpls_tc', 'nw_ecn', 'sctp_src', 'sctp_dst'],
]);
const CIDR_OF10 = new Set(['ip_src', 'ip_dst', 'arp_spa', 'arp_tpa']);
const BITWISE_OF11 = new Set(['metadata', 'eth_src', 'eth_dst', ...CIDR_OF10]);

/** Formats in which a field can be set or matched exactly. */
export function exactProtocols(field: Field): number {
  if (IN_OF10.has(field.name)) return P_ANY;
  if (IN_OF11.has(field.name)) return P_NXM_OF11_UP;
  return field.headers.length > 0 ? P_NXM_OXM_ANY : P_NONE;
}

function matchProtocols(field: Field, mask: Uint8Array): number {
  if (mask.every((b) => b === 0)) return P_ANY;
  if (mask.every((b) => b === 0xff)) return exactProtocols(field);
  if (!field.maskable) return P_NONE;
  if (CIDR_OF10.has(field.name) && prefixLength(mask) >= 0) return P_ANY;
  if (BITWISE_OF11.has(field.name)) return P_NXM_OF11_UP;
  return field.headers.length > 0 ? P_NXM_OXM_ANY : P_NONE;
}

/** Sets a field of a match; returns the formats that can express it. */
function setField(match: Match, field: Field, value: Uint8Array, mask: Uint8Array): number {
  if (field.option !== undefined) {
    try {
      addTunOption(match, field, value, mask);
    } catch (e) {
      if (e instanceof TunOptionError) syntaxError(e.message);
      throw e;
    }
    return P_NXM_OXM_ANY;
  }
  // Ethernet is what every packet is: asking for it says nothing.
  const isEth = field.name === 'packet_type' && value.every((b) => b === 0);
  if (!isEth) fieldSet(match.flow, match.mask, field, value, mask);
  return matchProtocols(field, mask);
}

/** Makes the match require a protocol such as `tcp6`; false when the name is none. */
export function matchProtocol(match: Match, name: string): boolean {
  const protocol = Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (protocol === undefined) return false;
  match.flow[L.W_DL_TYPE] = (match.flow[L.W_DL_TYPE] & 0xffff) | (protocol[0] << 16);
  match.mask[L.W_DL_TYPE] |= 0xffff << 16;
  if (protocol[1] !== undefined) {
    fieldSet(match.flow, match.mask, mustField('nw_proto'), Uint8Array.of(protocol[1]));
  }
  return true;
}

/** Parses `field=value[/mask]` into the match; undefined when there is no such field. */
export function matchFieldText(
  match: Match,
  name: string,
  text: string,
  ports: NameMap | null,
): number | undefined {
  const field = fieldByName(name);
  if (field === undefined || field.headers.some((h) => h.name === name)) return undefined;
  // No value at all: the field need only exist, which says nothing.
  const value = text === '' ? '0/0' : text;
  const parsed = withFieldErrors(() => parseFieldText(field, value, portNames(ports)));
  return setField(match, field, parsed.value, parsed.mask);
}

/** Parses `field[a..b]=value` into the match. */
export function matchSubfieldText(match: Match, name: string, text: string): number {
  const { field, sub } = parseSubfield(name);
  const parsed = parseIntBytes(text, field.nBytes);
  if (parsed === null || parsed.tooLarge || parsed.tail !== '') {
    syntaxError(`${name}: cannot parse integer value: ${text}`);
  }
  checkFits(name, field, parsed.bytes, sub.nBits);
  const value = fieldGet(match.flow, field);
  // What it says of a tunnel option is said once.
  const mask =
    field.option === undefined ? fieldGetMask(match.mask, field) : new Uint8Array(field.nBytes);
  bitwiseCopy(parsed.bytes, 0, value, sub.ofs, sub.nBits);
  bitwiseCopy(new Uint8Array(field.nBytes).fill(0xff), 0, mask, sub.ofs, sub.nBits);
  return setField(match, field, value, mask);
}

/** Refuses values with bits above the run that they are for. */
export function checkFits(what: string, field: Field, value: Uint8Array, nBits: number): void {
  for (let bit = nBits; bit < value.length * 8; bit++) {
    if ((value[value.length - 1 - (bit >> 3)] & (1 << (bit & 7))) !== 0) {
      const text = formatFieldText(field, value, undefined, portNames(null));
      syntaxError(`${what}: value ${text} does not fit into ${nBits} bits`);
    }
  }
}
