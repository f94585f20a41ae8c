/**
 * Finds checksums that a host left for its device to finish, in frames that AF_XDP brings: what the
 * kernel knows of a frame (its virtio header on other sockets) gets lost there.
 *
 *     host with transmit checksum offload:   checksum field = sum of the pseudo header, folded
 *     marked here:                           flags NEEDS_CSUM, csum_start, csum_offset
 *
 * Whoever sends the frame on finishes it. A complete checksum that happens to look like that (one
 * of 65,536) comes out as it was: computed anew, it is the same.
 *
 * Not for: frames that were cut short or reassembled, extension headers of IPv6.
 * Sources: RFC 9293 section 3.1, RFC 8200 section 8.1; virtio 1.2 section 5.1.6.
 */
// hot path
import { finishSum, pseudoSum4, pseudoSum6 } from '../packet/checksum.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../packet/extract.js';
import {
  ETH_TYPE_IP,
  ETH_TYPE_IPV6,
  ETH_TYPE_VLAN_8021AD,
  ETH_TYPE_VLAN_8021Q,
} from '../packet/flow-layout.js';
import { VNET_CSUM_OFFSET, VNET_CSUM_START, VNET_F_NEEDS_CSUM, VNET_FLAGS } from './vlan-edit.js';

const ETH_HEADER = 14;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const UDP_HEADER = 8;
const TAGS_MAX = 2;

/** The length of the frame's Ethernet header with its tags. */
function networkOffset(view: DataView, off: number): number {
  let at = 12;
  for (let tags = 0; tags < TAGS_MAX; tags++) {
    const type = view.getUint16(off + at);
    if (type !== ETH_TYPE_VLAN_8021Q && type !== ETH_TYPE_VLAN_8021AD) break;
    at += 4;
  }
  return at + 2;
}

/** Marks a frame whose TCP or UDP checksum is unfinished; its virtio header is zeros. */
export function markUnfinished(view: DataView, off: number, len: number): void {
  if (len < ETH_HEADER + IPV4_HEADER + UDP_HEADER) return;
  const l3 = networkOffset(view, off);
  if (len < l3 + IPV4_HEADER + UDP_HEADER) return;
  const ip = off + l3;
  const type = view.getUint16(ip - 2);
  let l4 = l3;
  let protocol = 0;
  let sum = 0;
  if (type === ETH_TYPE_IP) {
    const header = (view.getUint8(ip) & 0x0f) * 4;
    // Fragments have no checksum of their own.
    if (header < IPV4_HEADER || (view.getUint16(ip + 6) & 0x3fff) !== 0) return;
    protocol = view.getUint8(ip + 9);
    l4 += header;
    sum = pseudoSum4(view, ip, protocol, view.getUint16(ip + 2) - header);
  } else if (type === ETH_TYPE_IPV6 && len >= l3 + IPV6_HEADER + UDP_HEADER) {
    protocol = view.getUint8(ip + 6);
    l4 += IPV6_HEADER;
    sum = pseudoSum6(view, ip, protocol, view.getUint16(ip + 4));
  }
  if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return;
  const offset = protocol === IPPROTO_TCP ? 16 : 6;
  if (l4 + offset + 2 > len) return;
  // A host leaves the sum itself there, not its complement.
  if ((finishSum(sum) ^ 0xffff) !== view.getUint16(off + l4 + offset)) return;
  view.setUint8(off + VNET_FLAGS, VNET_F_NEEDS_CSUM);
  view.setUint16(off + VNET_CSUM_START, l4, true);
  view.setUint16(off + VNET_CSUM_OFFSET, offset, true);
}
