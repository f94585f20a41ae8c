/**
 * Pushing and popping an 802.1Q tag, in place.
 *
 * The tag goes in by moving the addresses, and the virtio_net_hdr in front of them, back by four
 * bytes; the payload stays where it is. What the virtio header says of positions in the frame is
 * moved along.
 *
 *     before     | free  .... | vnet 10 | dst 6 src 6 | type ...
 *     after      | vnet 10 | dst 6 src 6 | tpid tci   | type ...
 */
// hot path
import { VLAN_HEADER_LEN } from '../packet/extract.js';

/** struct virtio_net_hdr (linux/virtio_net.h), in host order: little-endian on what we support. */
export const VNET_FLAGS = -10;
export const VNET_GSO_TYPE = -9;
export const VNET_HDR_LEN_FIELD = -8;
export const VNET_GSO_SIZE = -6;
export const VNET_CSUM_START = -4;
export const VNET_CSUM_OFFSET = -2;
export const VNET_F_NEEDS_CSUM = 1;

/** The header grew by `delta` bytes in front of everything that the virtio header points at. */
export function moveVnetPositions(view: DataView, off: number, delta: number): void {
  if ((view.getUint8(off + VNET_FLAGS) & VNET_F_NEEDS_CSUM) !== 0) {
    const start = view.getUint16(off + VNET_CSUM_START, true);
    view.setUint16(off + VNET_CSUM_START, start + delta, true);
  }
  const hdrLen = view.getUint16(off + VNET_HDR_LEN_FIELD, true);
  if (hdrLen !== 0) view.setUint16(off + VNET_HDR_LEN_FIELD, hdrLen + delta, true);
}

/**
 * Pushes an outermost tag.
 * @param off the frame's offset; 14 bytes before it must be free or its virtio header
 * @param tag tpid(16) tci(16)
 * @returns the frame's new offset (4 less)
 */
export function pushVlan(view: DataView, off: number, tag: number): number {
  const to = off - VLAN_HEADER_LEN;
  // 22 bytes, front to back: virtio header and addresses.
  for (let i = -10; i < 10; i += 4) view.setInt32(to + i, view.getInt32(off + i));
  view.setUint16(to + 10, view.getUint16(off + 10));
  view.setInt32(to + 12, tag);
  moveVnetPositions(view, to, VLAN_HEADER_LEN);
  return to;
}

/** Pops the outermost tag, which must be there. Returns the frame's new offset (4 more). */
export function popVlan(view: DataView, off: number): number {
  const to = off + VLAN_HEADER_LEN;
  view.setUint16(to + 10, view.getUint16(off + 10));
  for (let i = 6; i >= -10; i -= 4) view.setInt32(to + i, view.getInt32(off + i));
  moveVnetPositions(view, to, -VLAN_HEADER_LEN);
  return to;
}
